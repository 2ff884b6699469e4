#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tangra/base/array.h"
#include "tangra/base/context.h"

namespace tangra::kernel {

/// A stored kernel as a matrix, read in pieces: a .npy file, a Zarr array, or `total` of a Zarr group. Of a file that holds
/// the lower triangle alone the pieces cover that triangle.
class KernelFile {
 public:
  /// Throws Error(input) where nothing can be read there, or its numbers are not floating-point.
  explicit KernelFile(const std::filesystem::path& path);
  ~KernelFile();

  DType type() const;
  /// As stored: (n1, n2), (n1, F, n2, F), (planes, n1, n2).
  const Shape& shape() const;

  /// Entries [row, row + rows) x [column, column + columns) of the matrix, whose rows are (i, a), a fastest.
  struct Piece {
    Index row = 0;
    Index column = 0;
    Index rows = 0;
    Index columns = 0;
    bool mirrored = false;  ///< its transpose stands for entries that no other piece has
  };
  /// Disjoint pieces, of some megabytes at most unless another program has chosen large chunks. Throws Error(input) where
  /// the shape is no matrix.
  const std::vector<Piece>& pieces() const;
  /// target: [piece.rows, piece.columns], column_stride 1. Safe from several threads. Throws Error(input) where the piece
  /// is damaged, or absent although tangra wrote the file.
  void read(const Piece& piece, MatrixView<double> target) const;
  /// The whole matrix, both triangles, on the context's pool.
  void read_all(MatrixView<double> matrix, const Context& context) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "K.zarr" of "K.zarr/": what file names are made from.
std::filesystem::path without_slash(const std::filesystem::path& path);

}  // namespace tangra::kernel
