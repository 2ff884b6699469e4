#include "help.h"

namespace tangra::cli::help {

const char* const overview = R"(MODEL is an .onnx file or a chain as Flux writes it, in quotes or in a file:
  'Chain(Dense(64 => 32, relu), Dense(32 => 10), softmax)'
DATA is a name (digits, which is built in; mnist, fashion-mnist, cifar10; see 'tangra data list')
or a file: .npy, .npz:key, .csv, IDX with or without .gz, CIFAR-10's .bin.

Examples:
  tangra summary 'Chain(Dense(64 => 32, relu), Dense(32 => 10), softmax)'
  tangra kernel 'Chain(Dense(64 => 32, relu), Dense(32 => 10))' digits --n 500 --reduce trace -o K.npy
  tangra spectrum K.npy
  tangra verify 'Chain(Dense(64 => 32, relu), Dense(32 => 10))' digits --n 4
  tangra kernel --help

Results go to standard output: a table, or with --json one JSON object and nothing else. Progress and
errors go to standard error. Files appear complete or not at all (a .zarr chunk by chunk, so that
--resume goes on); an existing one needs --force.

Exit codes: 0 done; 2 wrong usage; 3 bad input or unsupported; 4 over the memory budget;
5 the numerics failed or the methods of 'verify' disagree; 130 interrupted.)";

const char* const summary = R"(Examples:
  tangra summary 'Chain(Dense(784 => 60, sigmoid), Dense(60 => 10), softmax)'
  tangra summary network.txt --weights W.safetensors --buffers bias
  tangra summary 'Chain(Conv((3, 3), 3 => 16, relu), GlobalMeanPool(), flatten)' --input-shape 3,32,32
  tangra summary network.txt --json)";

const char* const jacobian =
    R"(J.npz holds 'output' (N, O) and 'jacobian:NAME' (N, O, shape of NAME) for every parameter asked for,
'jacobian:input' for the input. structured: 'jacobian:NAME/left' and '/right', whose outer products are J.

Examples:
  tangra jacobian 'Chain(Dense(64 => 8, tanh), Dense(8 => 10))' digits --n 20 --wrt parameters -o J.npz
  tangra jacobian network.txt digits --n 20 --wrt 0.weight,1.bias --layout structured -o J.npz
  tangra jacobian network.txt digits --n 20 --wrt input --input-form summed -o J.npz)";

const char* const jvp =
    R"(The tangent file is an .npz with one array per parameter under its name, and 'input' (N, shape of a
sample) where the input moves too; what it does not name stands still. The result is J v, (N, O).

Examples:
  tangra jvp network.txt digits --n 20 --tangent T.npz -o Jv.npz)";

const char* const vjp =
    R"(The cotangent file is an .npy of shape (N, O). The result is u^T J: 'vjp:NAME' for each parameter, summed
over the samples, and 'vjp:input', one for each sample.

Examples:
  tangra vjp network.txt digits --n 20 --cotangent C.npy -o uJ.npz)";

const char* const kernel =
    R"(K[i,a,j,b] = sum over all parameters p of (d f_a(x_i) / d p) (d f_b(x_j) / d p); nothing is divided
by the number of samples, outputs or parameters. Beside K.npy lies K.npy.json, which tells how it was made.

A .npy or .zarr is written while it is computed and not held in memory. K.zarr is a Zarr v3 array (with --by a
group of arrays), a chunk for each tile; of a symmetric kernel it holds the lower triangle. A run that was
stopped or killed goes on with the same command and --resume, and gives the same bits.

Examples:
  tangra kernel 'Chain(Dense(64 => 32, relu), Dense(32 => 10), softmax)' digits --n 500 --reduce trace
  tangra kernel network.txt mnist --n 10000 --reduce output=0 -o K.npy
  tangra kernel network.txt mnist --reduce output=0 --memory 4GiB --resume -o K.zarr
  tangra kernel network.txt mnist mnist:test --n 1000 --n2 200 --reduce trace -o K.npy
  tangra kernel network.txt digits --n 100 --reduce full --by layer -o K.npz
  tangra kernel network.txt digits --pairs self --reduce trace --json)";

const char* const plan =
    R"(Tells, without computing K, in which order each use of a parameter would be contracted and why ("cheapest of
4: pixel Grams 5.8 x" names the next one and how much more it would take; --json has all of them), how many
operations that takes, in what blocks and groups, how much memory, and how long: from the rates of this
machine, which are measured once (0.2 s) and kept, and from the sweeps of a few samples. The run itself says
how far off that was. Exit code 4 where the kernel would not fit into the memory budget.

Examples:
  tangra plan network.txt mnist --reduce trace --memory 2GiB -o K.zarr
  tangra plan network.onnx digits --reduce full --json)";

const char* const verify =
    R"(Computes the Jacobians and the kernel by ways that share as little code as possible, and compares every
pair: structured factors, explicit Jacobians by pull-back, forward-mode products, finite differences.
Exit code 5 where two of them differ by more than rounding explains.

Examples:
  tangra verify 'Chain(Dense(64 => 8, gelu), Dense(8 => 10), softmax)' digits
  tangra verify network.txt data.npy --n 3 --precision float32 --json)";

const char* const spectrum =
    R"(Eigenvalues of K.npy or K.zarr, or of the kernel of MODEL on DATA. An eigenvalue counts as negative only
where it lies below zero by more than the rounding of K, the measured error of its entries (from K.npy.json)
and the rounding of the solver. With labels, how much of them lies along the eigenvectors. --top takes a
block Krylov method; where K does not fit into memory, or with --without-k, K is never formed. Exit code 5
where it did not converge; what was found is told.

Examples:
  tangra spectrum K.npy
  tangra spectrum K.zarr --top 50 --json
  tangra spectrum 'Chain(Dense(64 => 32, relu), Dense(32 => 10))' digits --n 500 --reduce mean
  tangra spectrum network.txt mnist --reduce output=0 --top 20 --without-k)";

const char* const train =
    R"(Labels are the data set's own, or --labels FILE. Without --batch-size every step takes all samples. The order of
mini-batches is the same on every machine. Before the first step the largest stable learning rate of gradient
descent is found, 2 / lambda. W.safetensors holds the weights, to be read with --weights; a checkpoint holds the
optimizer's state too, and a run that went on from it ends with the same bits. A run whose loss stops being
finite ends with exit code 5 and writes nothing.

Examples:
  tangra train 'Chain(Dense(64 => 32, relu), Dense(32 => 10), softmax)' digits --samples 0:1500 --test digits \
    --samples2 1500:1797 --loss cross-entropy --optimizer adam --lr 0.01 --epochs 20 --batch-size 64 -o W.safetensors
  tangra train network.txt mnist --loss mse --lr 0.1 --momentum 0.9 --epochs 10 --batch-size 128 --kernel-every 1
  tangra train network.txt mnist --loss mse --lr 0.1 --epochs 50 --checkpoint-every 5 --resume -o W.safetensors
  tangra kernel network.txt mnist --n 1000 --reduce trace --weights W.safetensors)";

const char* const linearise =
    R"(Trains the network by gradient descent with all samples, and beside it the network linearised in its
parameters: f0 + J (theta - theta0), whose kernel does not move. For mse the latter has a closed form. Needs the
full kernel of TRAIN in memory, (N O)^2 numbers. The distance between the two falls with the width of a network in
ntk parameterisation: where it is small, the network trains in the lazy regime.

Examples:
  tangra linearise 'Chain(Dense(64 => 512, tanh), Dense(512 => 10))' digits digits --n 60 --samples2 1500:1600 \
    --parameterization ntk --loss mse --steps 500
  tangra linearise network.txt mnist mnist:test --n 100 --n2 100 --loss cross-entropy --lr 0.1 -o F.npz)";

const char* const predict =
    R"(Kernel ridge regression, the mean of a Gaussian process with noise variance RIDGE: labels as one-hot
vectors (or numbers, --targets) of TRAIN, predicted for TEST. --reduce full couples the outputs;
every other reduction is one kernel that all outputs share. Leave-one-out errors are in closed form; of
several ridges the one with the least is taken. The ridge is in the units of the kernel, whose mean
diagonal is told. Exit code 5 where the system could not be solved.

Examples:
  tangra predict 'Chain(Dense(64 => 99, relu), Dense(99 => 10))' digits digits --samples 0:1000
                 --samples2 1000:1797 --reduce mean --ridge 0.1,1,10
  tangra predict network.txt mnist mnist:test --n 2000 --n2 1000 --reduce mean --ridge 1 -o P.npy
  tangra predict network.txt train.npy test.npy --targets y.csv --reduce full --ridge 1e-3 --variance -o P.npz)";

const char* const infinite =
    R"(The kernel that a chain of Dense layers with relu, erf or no function has when its hidden layers become
infinitely wide, in closed form: the tangent kernel (ntk) or the covariance of the outputs of random
networks (nngp). Weights have to be drawn from normal distributions: --parameterization ntk(sigma_w,
sigma_b), or --init lecun, he or normal. Under the standard parameterisation the layers' parts grow
with their widths, which are taken from the chain. --compare tells how far the finite network is off,
--widths how this falls with the width of the hidden layers: as 1 / sqrt(width).

Examples:
  tangra infinite 'Chain(Dense(64 => 512, relu), Dense(512 => 10))' digits --n 100 --parameterization ntk
  tangra infinite 'Chain(Dense(64 => 64, relu), Dense(64 => 1))' digits --n 50 --parameterization ntk
                  --widths 64,128,256,512,1024
  tangra infinite network.txt mnist mnist:test --n 500 --n2 100 --init he --kind nngp -o K.npy)";

const char* const report =
    R"(Makes a page that needs no network and no other file, to be looked at in any browser and shown to others:
kernels as heat maps with their samples sorted by class, eigenvalues, shares of layers, label alignment, training
curves, ridges, plan against measured, conventions and machine. Of a kernel with up to 2,000 rows it computes the
eigenvalues where no spectrum is among the runs. Keep what a command tells with --json > RUN.json; beside a kernel
its .json lies already. In a folder all .json of tangra are taken.

Examples:
  tangra report K.npy -o report.html
  tangra spectrum K.npy --json > runs/S.json
  tangra report runs -o report.html)";

const char* const data = R"(Examples:
  tangra data list
  tangra data show digits
  tangra data show mnist --data-dir ~/data)";

const char* const model = "an .onnx file or a chain, as Flux writes it, in quotes or in a file";

const char* const samples = "a name (see 'tangra data list') or a file";

const char* const initialisers =
    "what a chain's parameters are drawn from:\n"
    "ones            W = b = 1\n"
    "glorot_uniform  W ~ U(-a, a), a = sqrt(6 / (fan_in + fan_out)); b = 0\n"
    "normal          W, b ~ N(0, 1)\n"
    "lecun           W ~ N(0, 1 / fan_in); b = 0\n"
    "he              W ~ N(0, 2 / fan_in); b = 0\n"
    "pytorch         W, b ~ U(-a, a), a = 1 / sqrt(fan_in)\n"
    "default glorot_uniform; normal with --parameterization ntk. fan_in of a\n"
    "convolution: channels of its group x entries of its kernel. Embeddings are\n"
    "N(0, 1), gains 1 and shifts 0, but all of them 1 with ones";

const char* const parameterization =
    "standard: W x + b; ntk(sigma_w, sigma_b): sigma_w W x / sqrt(fan_in)\n"
    "+ sigma_b b, where ntk alone is ntk(1, 1); default standard";

const char* const input_shape =
    "the shape of one sample, channels first, where neither MODEL nor DATA\n"
    "tell it or DATA are to be reshaped to it: 1,28,28 for 784 numbers";

const char* const reduce =
    "what becomes of the outputs a, b; required where there are several:\n"
    "full      K[i,a,j,b], stored (N, O, N, O)\n"
    "trace     sum over a of K[i,a,j,a]\n"
    "mean      the trace divided by the number of outputs\n"
    "diagonal  K[i,a,j,a], stored (O, N, N)\n"
    "sum       sum over a and b, the kernel of the summed outputs\n"
    "output=k  the kernel of output k alone";

const char* const loss =
    "mse: half the squared distance of the outputs to one-hot labels;\n"
    "cross-entropy: of the outputs as logits, of what goes into the softmax of\n"
    "a network that ends in one, or of log-probabilities behind a log-softmax.\n"
    "Means over samples";

const char* const precision = "float32, float64 or auto: as the network's parameters";

}  // namespace tangra::cli::help
