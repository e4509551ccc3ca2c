# Sanitizers for everything that is compiled, and for the containers of the standard library their own checks. What they find
# ends the program, so that a test fails.

set(_sanitize "-fsanitize=${E3D_SANITIZE}")
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_FLAGS "${_sanitize}")
unset(E3D_CAN_SANITIZE CACHE)   # asked anew: the option may be another one than before
check_cxx_source_compiles("int main() { return 0; }" E3D_CAN_SANITIZE)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT E3D_CAN_SANITIZE)
  message(FATAL_ERROR "E3D_SANITIZE=${E3D_SANITIZE}: ${CMAKE_CXX_COMPILER} does not compile and link with ${_sanitize}. Type\n"
    "  cmake -DE3D_SANITIZE=address,undefined ...   with a compiler that has these libraries (g++ brings them)")
endif()
add_compile_options(-O1 -g ${_sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
add_compile_definitions(_GLIBCXX_ASSERTIONS)
add_link_options(${_sanitize})
