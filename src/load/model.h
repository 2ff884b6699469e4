#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tangra/model/graph.h"

namespace tangra::load {

/// Which network, with which parameters.
struct ModelSpec {
  std::string text = {};                      ///< the path of a file, or a chain text
  std::string init = {};                      ///< of a chain; empty: the default of its parameterisation
  std::optional<std::uint64_t> seed = {};     ///< of a chain; none: 0
  std::string parameterization = "standard";  ///< of a chain: standard, ntk, ntk(sigma_w, sigma_b)
  std::string weights = {};         ///< .npz or .safetensors; empty: as initialised, or as in the file
  std::string params = {};          ///< regular expression: only these parameters are trained
  std::string buffers = {};         ///< regular expression: these are not
  std::optional<Shape> input = {};  ///< shape of one sample of the data, where it is known
  /// The shape that one sample shall have; none: what the network and the data say. Of an ONNX file it fills in what
  /// the file leaves open.
  std::optional<Shape> input_shape = {};
  std::string output = {};          ///< the output that is differentiated; empty: the first one
  std::string batch = {};  ///< of an ONNX file; none: each input is one sample as a whole. Empty: it has an axis of samples
  /// A network that is loaded already: taken as it is, with its parameters; `text` then only names it in messages.
  std::shared_ptr<const Graph> graph = {};

  /// Throws Error(usage) for options that exclude one another.
  void validate() const;
};

/// Whether the text is a chain by itself: it begins with a name and a parenthesis, and no file has that name.
bool is_chain_text(const std::string& text);

/// Loads the network: a chain text, a file that holds one, or an ONNX file (.onnx). Then come the weights, then the
/// choice of parameters. Throws Error(input) where there is neither such a file nor a chain text, and what load_chain,
/// read_weights and select_parameters throw.
Graph load_model(const ModelSpec& spec);

/// `spec.graph` where there is one, else a network that load_model() has just loaded.
std::shared_ptr<const Graph> shared_model(const ModelSpec& spec);

}  // namespace tangra::load
