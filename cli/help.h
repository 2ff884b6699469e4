#pragma once

namespace tangra::cli::help {

// What --help says behind the options of a command, and the longer descriptions of options.
extern const char* const overview;
extern const char* const summary;
extern const char* const jacobian;
extern const char* const jvp;
extern const char* const vjp;
extern const char* const kernel;
extern const char* const plan;
extern const char* const verify;
extern const char* const spectrum;
extern const char* const train;
extern const char* const linearise;
extern const char* const predict;
extern const char* const infinite;
extern const char* const report;
extern const char* const data;

extern const char* const model;
extern const char* const samples;
extern const char* const initialisers;
extern const char* const parameterization;
extern const char* const input_shape;
extern const char* const reduce;
extern const char* const precision;
extern const char* const loss;

}  // namespace tangra::cli::help
