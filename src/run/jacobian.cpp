#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/differentiate/network_factors.h"
#include "tangra/formats/npz.h"
#include "tangra/run/kernel/needs.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

constexpr const char* result_name = "the Jacobian (--n takes fewer samples, --layout structured keeps factors)";

/// What a Jacobian is taken by.
struct Targets {
  std::vector<ParameterId> parameters;
  std::vector<ValueId> values;  ///< inputs and hidden values
};

Targets find_targets(const Graph& graph, const std::vector<std::string>& wrt) {
  Targets targets;
  const auto add_parameter = [&](ParameterId id) {
    if (std::ranges::find(targets.parameters, id) == targets.parameters.end()) targets.parameters.push_back(id);
  };
  for (const std::string& name : wrt) {
    if (name == "parameters") {
      for (std::size_t p = 0; p < graph.parameters.size(); ++p) {
        if (graph.parameters[p].trainable) add_parameter(static_cast<ParameterId>(p));
      }
      continue;
    }
    const ParameterId parameter = graph.find_parameter(name);
    if (parameter == no_id) {
      const ValueId value = name == "input" ? graph.inputs.front() : find_value(graph, name, "--wrt");
      if (std::ranges::find(targets.values, value) == targets.values.end()) targets.values.push_back(value);
      continue;
    }
    if (!graph.parameter(parameter).trainable) {
      throw Error(ErrorKind::usage, {.what = "this parameter is frozen", .where = "--wrt", .got = name, .expected = {},
                                     .cure = "Change --params or --buffers"});
    }
    add_parameter(parameter);
  }
  return targets;
}

Shape concatenated(Shape first, const Shape& second) {
  for (const Index length : second) first.append(length);
  return first;
}

/// Fills the arrays of a Jacobian block of samples by block of samples.
template <class T>
class JacobianRun {
 public:
  JacobianRun(const JacobianSpec& spec, Loaded& loaded, Session& session, ArraysResult& result)
      : spec_(spec),
        session_(session),
        context_(session.context()),
        result_(result),
        graph_(*loaded.graph),
        program_(loaded.graph, context_),
        of_(find_value(graph_, spec.of, "--of")),
        targets_(find_targets(graph_, spec.wrt)),
        samples_(loaded.summary.samples),
        outputs_(graph_.shape(of_).elements()),
        directions_(spec.input_form == InputForm::summed ? 1 : outputs_) {
    check_targets();
    const Tensor<T> none(graph_.shape(graph_.inputs.front()).with_leading(0));
    const differentiate::NetworkFactors<T> sweeps(program_, none, of_, basis(), context_);
    if (!targets_.parameters.empty()) choose_layouts(sweeps.make(0, 0));
    MemoryNeeds needs;
    add_samples<T>(needs, loaded, Samples::given_back);
    needs.hold(result_bytes(), result_name);
    sweep_bytes_ = sweeps.bytes_per_sample();
    const std::size_t scratch = scratch_bytes(graph_, sizeof(T), context_);
    needs.use(scratch + sweep_bytes_, "the sweeps of one sample", scratch + 8 * sweep_bytes_);
    session.require(needs);
    inputs_ = taken_inputs<T>(loaded, session);
    memory_ = Reservation(context_.memory, result_bytes(), result_name);
    scratch_ = Reservation(context_.memory, scratch, "what threads keep of products");
  }

  void run() {
    allocate();
    const differentiate::Basis basis = this->basis();
    const auto fitting = static_cast<Index>(std::min<std::size_t>(context_.memory.available(), std::size_t{64} << 20U) / std::max<std::size_t>(1, sweep_bytes_));
    const Index block = std::clamp<Index>(fitting, 1, 256);
    const Reservation sweeps(context_.memory, static_cast<std::size_t>(std::min(block, samples_)) * sweep_bytes_, "the sweeps of a block of samples");
    for (Index begin = 0; begin < samples_; begin += block) {
      context_.check_cancelled();
      context_.report("differentiating", static_cast<double>(begin), static_cast<double>(samples_));
      const Index end = std::min(samples_, begin + block);
      std::vector<Tensor<T>> own;
      own.push_back(differentiate::rows_of(*inputs_, begin, end));
      const auto activations = differentiate::forward(program_, std::move(own), context_);
      differentiate::require_finite(program_, activations, of_, begin);
      std::ranges::copy(activations[of_], output_.data() + begin * outputs_);
      const auto swept = differentiate::reverse(program_, activations,
                                                {.of = of_, .parameters = !targets_.parameters.empty(), .values = targets_.values},
                                                basis.seeds(begin, activations[of_]), context_);
      for (std::size_t k = 0; k < targets_.parameters.size(); ++k) put_parameter(k, swept.parameters, begin);
      for (std::size_t k = 0; k < targets_.values.size(); ++k) put_value(k, swept.values[k].get(), begin);
    }
    session_.step("sweeps");
    collect();
  }

 private:
  /// The arrays of one parameter: explicit rows, or both factors.
  struct ParameterArrays {
    bool structured = false;
    Shape rows_shape;   ///< [N, O, shape]
    Shape left_shape;   ///< [N, O, C] or [N, O, D, C]
    Shape right_shape;  ///< [N, K] or [N, D, K]
    Tensor<T> rows;
    Tensor<T> left;
    Tensor<T> right;
  };

  void check_targets() const {
    if (spec_.input_form == InputForm::full && !targets_.parameters.empty()) {
      throw Error(ErrorKind::usage, {.what = "the full form over the batch is one of input Jacobians", .where = "--input-form full",
                                     .got = "--wrt " + graph_.parameter(targets_.parameters.front()).name,
                                     .expected = "--wrt input", .cure = {}});
    }
    if (spec_.layout == JacobianLayout::structured && targets_.parameters.empty()) {
      throw Error(ErrorKind::usage, {.what = "only Jacobians by parameters have a structured form", .where = "--layout structured",
                                     .got = {}, .expected = "--wrt parameters, or names of them", .cure = {}});
    }
    if (targets_.parameters.empty() && targets_.values.empty()) {
      throw Error(ErrorKind::input, {.what = "the network has no parameters to differentiate by", .where = spec_.model.text,
                                     .got = {}, .expected = {}, .cure = "Ask for --wrt input"});
    }
  }

  differentiate::Basis summed_basis() const {
    std::vector<Index> all;
    for (Index a = 0; a < outputs_; ++a) all.push_back(a);
    return differentiate::Basis::sums(outputs_, {all});
  }

  differentiate::Basis basis() const {
    return spec_.input_form == InputForm::summed ? summed_basis() : differentiate::Basis::identity(outputs_);
  }

  /// Of all arrays together.
  std::size_t result_bytes() const {
    Index entries = samples_ * outputs_;
    for (const ParameterArrays& arrays : parameters_) {
      entries += arrays.structured ? arrays.left_shape.elements() + arrays.right_shape.elements() : arrays.rows_shape.elements();
    }
    for (const ValueId id : targets_.values) {
      entries += samples_ * directions_ * graph_.shape(id).elements() * (spec_.input_form == InputForm::full ? samples_ : 1);
    }
    return static_cast<std::size_t>(entries) * sizeof(T);
  }

  void allocate() {
    output_ = Tensor<T>(concatenated({samples_}, graph_.shape(of_)));
    for (ParameterArrays& arrays : parameters_) {
      if (arrays.structured) {
        arrays.left = Tensor<T>(arrays.left_shape);
        arrays.right = Tensor<T>(arrays.right_shape);
      } else {
        arrays.rows = Tensor<T>(arrays.rows_shape);
      }
    }
    for (const ValueId id : targets_.values) {
      Shape shape = concatenated(leading(), graph_.shape(id));
      if (spec_.input_form == InputForm::full) shape.append(samples_);
      values_.emplace_back(shape);
    }
  }

  Shape leading() const { return spec_.input_form == InputForm::summed ? Shape{samples_} : Shape{samples_, outputs_}; }

  const factors::Term<T>* only_outer_term(const factors::FactorBlock<T>& block, ParameterId id) const {
    const factors::Term<T>* found = nullptr;
    for (const auto& term : block.terms) {
      if (term.place.parameter != id) continue;
      if (found != nullptr) return nullptr;
      found = &term;
    }
    const Shape& shape = graph_.parameter(id).data.shape();
    const bool plain = found != nullptr && found->form == factors::Form::outer && found->place.shape == shape &&
                       found->place.strides == shape.strides() && found->place.scale == 1;
    return plain ? found : nullptr;
  }

  /// block: of any samples, also of none.
  void choose_layouts(const factors::FactorBlock<T>& block) {
    parameters_.resize(targets_.parameters.size());
    for (std::size_t k = 0; k < targets_.parameters.size(); ++k) {
      const Parameter& parameter = graph_.parameter(targets_.parameters[k]);
      ParameterArrays& arrays = parameters_[k];
      const auto* term = only_outer_term(block, targets_.parameters[k]);
      arrays.structured = spec_.layout == JacobianLayout::structured && term != nullptr;
      if (!arrays.structured) {
        arrays.rows_shape = concatenated(leading(), parameter.data.shape());
        if (spec_.layout == JacobianLayout::structured) explicit_names_ += (explicit_names_.empty() ? "" : ", ") + parameter.name;
        continue;
      }
      const bool lone = term->positions == 1;
      const Index channels = term->place.shape[0];
      const Index fan_in = term->place.shape[1];
      arrays.left_shape = concatenated(leading(), lone ? Shape{channels} : Shape{term->positions, channels});
      arrays.right_shape = lone ? Shape{samples_, fan_in} : Shape{samples_, term->positions, fan_in};
    }
  }

  void put_parameter(std::size_t k, const factors::FactorBlock<T>& block, Index begin) {
    ParameterArrays& arrays = parameters_[k];
    const ParameterId id = targets_.parameters[k];
    if (!arrays.structured) {
      const Index size = graph_.parameter(id).data.size();
      factors::add_dense(block, id, arrays.rows.data() + begin * directions_ * size, size, session_.context());
      return;
    }
    const auto* term = only_outer_term(block, id);
    TANGRA_ENSURE(term != nullptr);
    T* left = arrays.left.data() + begin * (arrays.left.size() / samples_);
    T* right = arrays.right.data() + begin * (arrays.right.size() / samples_);
    for (Index row = 0; row < block.samples * block.directions; ++row) left = put_matrix(term->left_of(row), left);
    for (Index i = 0; i < block.samples; ++i) right = put_matrix(term->right_of(i), right);
  }

  /// Writes the entries row by row and returns the place behind the last.
  static T* put_matrix(MatrixView<const T> entries, T* to) {
    for (Index r = 0; r < entries.rows; ++r) {
      for (Index c = 0; c < entries.columns; ++c) *to++ = entries(r, c);
    }
    return to;
  }

  void put_value(std::size_t k, const Tensor<T>* rows, Index begin) {
    if (rows == nullptr) return;  // does not depend on it: zeros
    Tensor<T>& target = values_[k];
    const Index entries = directions_ * graph_.shape(targets_.values[k]).elements();
    if (spec_.input_form != InputForm::full) {
      std::ranges::copy(*rows, target.data() + begin * entries);
      return;
    }
    for (Index e = 0; e < rows->size(); ++e) {
      const Index sample = begin + e / entries;
      target[(begin * entries + e) * samples_ + sample] = (*rows)[e];
    }
  }

  void collect() {
    result_.arrays.push_back({"output", Array(std::move(output_))});
    const std::string kind = spec_.input_form == InputForm::summed ? "gradient:" : "jacobian:";
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
      const std::string name = kind + graph_.parameter(targets_.parameters[k]).name;
      if (!parameters_[k].structured) {
        result_.arrays.push_back({name, Array(std::move(parameters_[k].rows))});
        continue;
      }
      result_.arrays.push_back({name + "/left", Array(std::move(parameters_[k].left))});
      result_.arrays.push_back({name + "/right", Array(std::move(parameters_[k].right))});
    }
    for (std::size_t k = 0; k < values_.size(); ++k) {
      const ValueId id = targets_.values[k];
      const std::string name = id == graph_.inputs.front() ? "input" : graph_.value(id).name;
      result_.arrays.push_back({kind + name, Array(std::move(values_[k]))});
    }
    explain();
  }

  void explain() {
    if (std::ranges::any_of(parameters_, &ParameterArrays::structured)) {
      result_.notes.push_back(
          "structured form: the Jacobian of sample i, output a by a weight (c, k) is left[i,a,c] right[i,k] (summed over "
          "positions d where there is an axis for them); the two factors are not themselves Jacobians");
      if (!explicit_names_.empty()) result_.notes.push_back("explicit, as they have no pair of factors: " + explicit_names_);
    } else if (!parameters_.empty() && spec_.input_form != InputForm::summed) {
      result_.notes.push_back("full form: entry [i,a,...] is the derivative of output a of sample i by that entry");
    }
    if (spec_.input_form == InputForm::summed) {
      result_.notes.push_back("gradient of the sum of all outputs of a sample: a vector-Jacobian product with ones, not a Jacobian");
    }
    if (spec_.input_form == InputForm::full) {
      result_.notes.push_back("full form over the batch: entries between different samples are zero; --input-form blocks omits them");
    }
  }

  const JacobianSpec& spec_;
  Session& session_;
  const Context& context_;
  ArraysResult& result_;
  const Graph& graph_;
  differentiate::Program<T> program_;
  SharedSamples<T> inputs_;
  ValueId of_;
  Targets targets_;
  Index samples_;
  Index outputs_;
  Index directions_;
  std::size_t sweep_bytes_ = 0;  ///< of a sample
  Reservation memory_;
  Reservation scratch_;
  Tensor<T> output_;
  std::vector<ParameterArrays> parameters_;
  std::vector<Tensor<T>> values_;
  std::string explicit_names_;  ///< of parameters that have no pair of factors where factors were asked for
};

}  // namespace

void JacobianSpec::validate() const {
  model.validate();
  if (wrt.empty()) {
    throw Error(ErrorKind::usage, {.what = "nothing to differentiate by", .where = "--wrt", .got = {},
                                   .expected = "parameters, input, or names of parameters or values", .cure = {}});
  }
  if (layout == JacobianLayout::structured && input_form == InputForm::full) {
    throw Error(ErrorKind::usage, {.what = "structured and full are two different forms", .where = "--layout, --input-form",
                                   .got = {}, .expected = "one of them", .cure = {}});
  }
  check_out(out, existing, {".npz"});
}

ArraysResult run_jacobian(const JacobianSpec& spec, const Caller& caller) {
  spec.validate();
  Session session(spec.resources, caller);
  Loaded loaded = load(spec.model, spec.data);
  session.step("load");
  session.count_loaded();
  ArraysResult result;
  result.command = "jacobian";
  result.model = loaded.model;
  result.data = loaded.summary;
  result.out = spec.out;
  if (compute_type(spec.precision, *loaded.graph) == DType::float64) {
    result.precision = "float64";
    JacobianRun<double>(spec, loaded, session, result).run();
  } else {
    result.precision = "float32";
    JacobianRun<float>(spec, loaded, session, result).run();
  }
  session.context().check_cancelled();
  write_arrays(spec.out, result.arrays);
  session.step("write");
  result.provenance = session.provenance(fingerprint(*loaded.graph), {loaded.data.fingerprint});
  return result;
}

}  // namespace tangra::run
