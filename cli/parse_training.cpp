#include "parser.h"
#include "training_options.h"

namespace tangra::cli {

void Commands::add_train() {
  CLI::App& app = add("train", "gradient descent and Adam, and how the kernel moves meanwhile", help::train);
  add_model(app, model_);
  add_data(app, data_);
  add_training_options(app, train_);
  add_precision(app, common_, help::precision);
  add_output(app, train_.out, common_, ".safetensors or .npz: the weights; without it only the table");
  add_report(app, common_);
  add_model_options(app, model_);
  add_data_options(app, data_);
  app.add_option("--test", data2_.source, "a second set, which is scored and not trained on")
      ->type_name("DATA")
      ->group("Data");
  add_test_options(app, data2_);
  add_resources(app, common_);
  commands_.push_back({&app, [this] {
                         run::TrainSpec spec = finished(train_);
                         check_is_no_network(data2_.source, "--test");
                         if (!data2_.source.empty()) spec.test = finished_test(data_, data2_);
                         else check_no_second_selection();
                         return Request(spec);
                       }});
}

void Commands::add_linearise() {
  CLI::App& app = add("linearise", "linearised training, and the true network beside it", help::linearise);
  add_model(app, model_);
  app.add_option("TRAIN", data_.source, help::samples)->required()->type_name("");
  app.add_option("TEST", data2_.source, "a second set, which is not trained on")->required()->type_name("");
  add_linearise_options(app, linearise_);
  add_precision(app, common_, "of the network: float64 (default) or float32");
  add_output(app, linearise_.out, common_, ".npz: the outputs of both; without it only the table");
  add_report(app, common_);
  add_model_options(app, model_);
  add_data_options(app, data_);
  add_test_options(app, data2_);
  add_resources(app, common_);
  commands_.push_back({&app, [this] {
                         run::LineariseSpec spec = finished(linearise_);
                         check_is_no_network(data2_.source, "TEST");
                         spec.test = finished_test(data_, data2_);
                         return Request(spec);
                       }});
}

}  // namespace tangra::cli
