#pragma once
// Results with made-up figures, for tests that look at how they are told.
#include "tangra/run/result.h"
#include "tangra/run/training.h"

namespace tangra::test {

run::Provenance provenance();
run::ModelSummary model_summary();
run::DataSummary data_summary();
run::SummaryResult summary_result();
run::ArraysResult arrays_result();
/// 3 samples, parts by layer, float32 with a measured error, in K.npz.
run::KernelResult kernel_result();
/// Two parameters, three methods; the second parameter's bias is wrong where `agree` is false.
run::VerifyRunResult verify_result(bool agree);
/// Eigenvalues 100, 1, 1e-3, -1e-9 and an infinite condition.
run::SpectrumResult spectrum_result();
/// 40 epochs with a test set, two looks at the kernel, a learning rate above its bound; diverged in epoch 41 or not.
run::TrainResult train_result(bool diverged);
/// Two moments, F.npz.
run::LineariseResult linearise_result();

}  // namespace tangra::test
