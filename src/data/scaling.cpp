#include "scaling.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "tangra/base/error.h"
#include "tangra/formats/refuse.h"

namespace tangra::data {
namespace {

[[noreturn]] void malformed(const std::string& text) {
  throw Error(ErrorKind::usage,
              {.what = "the normalisation is not understood",
               .where = "--normalize",
               .got = text,
               .expected = "MEAN[,..]:STD[,..] with as many means as deviations, which are above 0",
               .cure = {}});
}

std::vector<double> parse_list(std::string_view list, const std::string& text) {
  std::vector<double> values;
  while (true) {
    const std::string_view word = list.substr(0, list.find(','));
    double value = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (code != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) malformed(text);
    values.push_back(value);
    if (word.size() == list.size()) return values;
    list.remove_prefix(word.size() + 1);
  }
}

/// values: [samples, channels, inner]
template <class From, class To>
void apply(const From* values, Index samples, Index channels, Index inner, const Scaling& scaling,
           To* target) {
  for (Index i = 0; i < samples * channels; ++i) {
    const auto channel = static_cast<std::size_t>(i % channels);
    const double mean = scaling.normalization ? scaling.normalization->mean[channel] : 0;
    const double deviation = scaling.normalization ? scaling.normalization->deviation[channel] : 1;
    for (Index j = 0; j < inner; ++j) {
      const double value = static_cast<double>(values[j]) / scaling.divisor * scaling.factor;
      target[j] = static_cast<To>((value - mean) / deviation);
    }
    values += inner;
    target += inner;
  }
}

template <class From, class To>
Array apply(const Array& raw, Index channels, const Scaling& scaling) {
  const Index samples = raw.shape()[0];
  const Index inner = raw.size() == 0 ? 0 : raw.size() / samples / channels;
  return Array(dtype_of<To>(), raw.shape(), [&](std::span<std::byte> target) {
    apply(reinterpret_cast<const From*>(raw.data()), samples, channels, inner, scaling,
          reinterpret_cast<To*>(target.data()));
  });
}

std::string place_of(Index entry, const Shape& shape, const Origin& origin) {
  Shape place = shape;
  for (Index axis = shape.rank(); axis-- > 0; entry /= shape[axis]) place[axis] = entry % shape[axis];
  place[0] += origin.first_sample;
  return to_string(place);
}

template <class T>
void check_finite(std::span<const T> values, const Array& raw, const Origin& origin) {
  const auto bad = std::ranges::find_if(values, [](T value) { return !std::isfinite(value); });
  if (bad == values.end()) return;
  const auto entry = static_cast<Index>(bad - values.begin());
  const std::string expected = "finite numbers, also at " + place_of(entry, raw.shape(), origin);
  const std::string got = std::isnan(*bad) ? "NaN" : "infinity";
  const double before = raw.reshaped(Shape{raw.size()}).rows(entry, entry + 1).converted<double>()[0];
  if (!std::isfinite(before)) formats::refuse(origin.name, "an input is not finite", got, expected);
  formats::refuse(
      origin.name, "an input is scaled beyond what " + std::string(name_of(dtype_of<T>())) + " can hold",
      decimal(before) + ", which becomes " + got, expected, "Take another --scale or --normalize");
}

/// Of the integers beyond 2^53, float64 has only some.
template <class T>
void check_exact(const Array& raw, const Origin& origin) {
  constexpr int fraction_bits = 53;
  const auto values = raw.as<T>();
  const auto bad = std::ranges::find_if(values, [](T value) {
    const auto negative = static_cast<std::uint64_t>(value) >> 63U != 0 && std::is_signed_v<T>;
    const std::uint64_t size =
        negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    return size != 0 && std::bit_width(size) - std::countr_zero(size) > fraction_bits;
  });
  if (bad == values.end()) return;
  formats::refuse(origin.name, "float64 cannot hold this integer", std::to_string(*bad),
                  "integers up to 2^53, also at " + place_of(bad - values.begin(), raw.shape(), origin),
                  "Make the file one of float64 to have them rounded");
}

Index channels_of(const Array& raw, const Scaling& scaling, const Origin& origin) {
  if (!scaling.normalization || scaling.normalization->mean.size() <= 1) return 1;
  const auto channels = static_cast<Index>(scaling.normalization->mean.size());
  if (raw.shape().rank() < 2 || raw.shape()[1] != channels) {
    formats::refuse(origin.name, "the normalisation has another number of channels than the data",
                    std::to_string(channels),
                    "as many as axis 1 of " + to_string(raw.shape()) + ", or a single mean and deviation");
  }
  return channels;
}

Array applied(const Array& raw, Index channels, const Scaling& scaling, const Origin& origin) {
  switch (raw.type()) {
    case DType::float16:
      return apply<float, float>(Array(raw.converted<float>()), channels, scaling);
    case DType::float32:
      return apply<float, float>(raw, channels, scaling);
    case DType::float64:
      return apply<double, double>(raw, channels, scaling);
    case DType::int8:
      return apply<std::int8_t, double>(raw, channels, scaling);
    case DType::int16:
      return apply<std::int16_t, double>(raw, channels, scaling);
    case DType::int32:
      return apply<std::int32_t, double>(raw, channels, scaling);
    case DType::int64:
      check_exact<std::int64_t>(raw, origin);
      return apply<std::int64_t, double>(raw, channels, scaling);
    case DType::uint16:
      return apply<std::uint16_t, double>(raw, channels, scaling);
    case DType::uint32:
      return apply<std::uint32_t, double>(raw, channels, scaling);
    case DType::uint64:
      check_exact<std::uint64_t>(raw, origin);
      return apply<std::uint64_t, double>(raw, channels, scaling);
    case DType::uint8:
    case DType::boolean:
      break;
  }
  return apply<std::uint8_t, double>(raw, channels, scaling);
}

}  // namespace

Normalization parse_normalization(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) malformed(text);
  Normalization result{parse_list(std::string_view(text).substr(0, colon), text),
                       parse_list(std::string_view(text).substr(colon + 1), text)};
  if (result.mean.size() != result.deviation.size()) malformed(text);
  for (const double deviation : result.deviation) {
    if (deviation <= 0) malformed(text);
  }
  return result;
}

Array scaled(const Array& raw, const Scaling& scaling, const Origin& origin) {
  const bool as_it_is = scaling.none() && (raw.type() == DType::float32 || raw.type() == DType::float64);
  Array values = as_it_is ? raw : applied(raw, channels_of(raw, scaling, origin), scaling, origin);
  if (values.type() == DType::float64)
    check_finite(values.as<double>(), raw, origin);
  else
    check_finite(values.as<float>(), raw, origin);
  return values;
}

Array channels_to_front(const Array& pictures) {
  const Shape& shape = pictures.shape();
  const Index positions = shape[1] * shape[2];
  const Index channels = shape[3];
  const std::size_t width = bytes_of(pictures.type());
  return Array(pictures.type(), Shape{shape[0], channels, shape[1], shape[2]},
               [&](std::span<std::byte> target) {
                 std::byte* place = target.data();
                 for (Index sample = 0; sample < shape[0]; ++sample) {
                   for (Index channel = 0; channel < channels; ++channel) {
                     for (Index position = 0; position < positions; ++position) {
                       const Index from = (sample * positions + position) * channels + channel;
                       std::memcpy(place, pictures.data() + static_cast<std::size_t>(from) * width, width);
                       place += width;
                     }
                   }
                 }
               });
}

std::string decimal(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

}  // namespace tangra::data
