# What every target of the project is compiled with. Exact results rest on two of these flags:
# no contraction of a*b+c (seeds give the same weights on every machine) and no fast-math.
# The four warnings that are switched off behind -Wno-sign-conversion are those of g++ 12's flow analysis that are false for
# std::string and std::vector (GCC bugs 105329 and 105651). Under a sanitizer there are more of them: no -Werror there.
add_library(tangra_compile INTERFACE)
target_compile_options(tangra_compile INTERFACE
  -ffp-contract=off
  $<BUILD_INTERFACE:-Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wno-sign-conversion
                    -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-free-nonheap-object>)
if(TANGRA_WARNINGS_AS_ERRORS AND NOT TANGRA_SANITIZE)
  target_compile_options(tangra_compile INTERFACE -Werror)
endif()
target_compile_features(tangra_compile INTERFACE cxx_std_20)
if(TANGRA_SANITIZE)
  target_compile_options(tangra_compile INTERFACE -fsanitize=${TANGRA_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(tangra_compile INTERFACE -fsanitize=${TANGRA_SANITIZE})
endif()
