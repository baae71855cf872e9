# The CUDA part (kernels/), optional. PHOTONLINK_CUDA, as a CMake or an environment variable, is one of
#   AUTO   build it if that works; if not, say why in one line and go on (the default)
#   ON     build it or fail
#   wheel  like ON, with the nvcc of the Python package nvidia-cuda-nvcc (pip brings it along: see pyproject.toml)
#   OFF    leave it out
# It is a project of its own, configured and built by a CMake of its own: a compiler that does not work is fatal to the
# project that enables its language, and must not be to this one.

if(NOT DEFINED PHOTONLINK_CUDA)
  set(PHOTONLINK_CUDA "$ENV{PHOTONLINK_CUDA}")
endif()
if(NOT DEFINED PHOTONLINK_CUDA_ARCHITECTURES)
  set(PHOTONLINK_CUDA_ARCHITECTURES "$ENV{PHOTONLINK_CUDA_ARCHITECTURES}")
endif()
if(PHOTONLINK_CUDA STREQUAL "")
  set(PHOTONLINK_CUDA AUTO)
endif()
string(TOUPPER "${PHOTONLINK_CUDA}" photonlink_cuda_mode)
if(NOT photonlink_cuda_mode MATCHES "^(AUTO|ON|OFF|WHEEL)$")
  message(FATAL_ERROR "PHOTONLINK_CUDA is '${PHOTONLINK_CUDA}'; it must be AUTO, ON, OFF or wheel")
endif()

set(photonlink_cuda_dir "${PROJECT_BINARY_DIR}/cuda")
set(photonlink_cuda_fix
    "install the CUDA toolkit (nvcc 13 or 12.8) and put nvcc on PATH or into CUDACXX, or let pip bring a compiler along "
    "with PHOTONLINK_CUDA=wheel, or do without with PHOTONLINK_CUDA=OFF")

include("${CMAKE_CURRENT_LIST_DIR}/first_error.cmake")

# Without the CUDA part: an error if it was asked for, one line if not.
macro(photonlink_without_cuda reason)
  file(REMOVE_RECURSE "${photonlink_cuda_dir}/module")
  if(photonlink_cuda_mode STREQUAL "AUTO")
    message(STATUS "photonlink: built without its CUDA part: ${reason}")
  else()
    message(FATAL_ERROR "PHOTONLINK_CUDA=${PHOTONLINK_CUDA}, but ${reason}. To fix it, " ${photonlink_cuda_fix})
  endif()
endmacro()

function(photonlink_find_nvcc result)
  set(nvcc "${CMAKE_CUDA_COMPILER}")
  if(NOT nvcc AND NOT photonlink_cuda_mode STREQUAL "WHEEL")
    if(NOT "$ENV{CUDACXX}" STREQUAL "")
      set(nvcc "$ENV{CUDACXX}")  # whoever sets it means this one, so no other is looked for
    else()
      find_program(found nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin NO_CACHE)
      if(found)
        set(nvcc "${found}")
      endif()
    endif()
  endif()
  if(NOT nvcc)
    execute_process(COMMAND "${Python_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/cmake/find_wheel_nvcc.py"
                    OUTPUT_VARIABLE nvcc)
  endif()
  set(${result} "${nvcc}" PARENT_SCOPE)
endfunction()

function(photonlink_configure_cuda nvcc)
  # A folder that was configured with another compiler starts afresh.
  set(compilers "${nvcc} ${CMAKE_CXX_COMPILER} ${CMAKE_GENERATOR}")
  set(seen "")
  if(EXISTS "${photonlink_cuda_dir}/compilers.txt")
    file(READ "${photonlink_cuda_dir}/compilers.txt" seen)
  endif()
  if(NOT seen STREQUAL compilers)
    file(REMOVE_RECURSE "${photonlink_cuda_dir}")
  endif()
  file(MAKE_DIRECTORY "${photonlink_cuda_dir}/module")
  file(WRITE "${photonlink_cuda_dir}/compilers.txt" "${compilers}")
  set(host_compiler "${CMAKE_CXX_COMPILER}")
  if(NOT "$ENV{CUDAHOSTCXX}" STREQUAL "")
    set(host_compiler "$ENV{CUDAHOSTCXX}")
  endif()
  execute_process(
    COMMAND
      "${CMAKE_COMMAND}" -S "${PROJECT_SOURCE_DIR}/kernels" -B "${photonlink_cuda_dir}" -G "${CMAKE_GENERATOR}"
      "-DCMAKE_MAKE_PROGRAM=${CMAKE_MAKE_PROGRAM}" "-DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE}"
      "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}" "-DCMAKE_CUDA_COMPILER=${nvcc}"
      "-DCMAKE_CUDA_HOST_COMPILER=${host_compiler}" "-DPython_EXECUTABLE=${Python_EXECUTABLE}"
      "-Dpybind11_DIR=${pybind11_DIR}" "-DPHOTONLINK_WERROR=${PHOTONLINK_WERROR}"
      "-DPHOTONLINK_CUDA_ARCHITECTURES=${PHOTONLINK_CUDA_ARCHITECTURES}"
    RESULT_VARIABLE failed
    OUTPUT_FILE "${photonlink_cuda_dir}/configure.log"
    ERROR_FILE "${photonlink_cuda_dir}/configure.log")
  set(photonlink_cuda_failed "${failed}" PARENT_SCOPE)
endfunction()

function(photonlink_add_cuda)
  photonlink_find_nvcc(nvcc)
  if(NOT EXISTS "${nvcc}")
    if(nvcc)
      photonlink_without_cuda("there is no nvcc at ${nvcc}")
    else()
      photonlink_without_cuda("there is no nvcc")
    endif()
    return()
  endif()
  photonlink_configure_cuda("${nvcc}")
  if(photonlink_cuda_failed)
    photonlink_first_error("${photonlink_cuda_dir}/configure.log" why)
    photonlink_without_cuda("${nvcc} does not work here: ${why}")
    return()
  endif()
  message(STATUS "photonlink: building the CUDA part with ${nvcc}")
  add_custom_target(
    photonlink_cuda ALL
    COMMAND "${CMAKE_COMMAND}" "-DMODE=${photonlink_cuda_mode}" "-DDIR=${photonlink_cuda_dir}" -P
            "${PROJECT_SOURCE_DIR}/cmake/build_cuda.cmake"
    COMMENT "Building the CUDA part"
    VERBATIM)
  install(DIRECTORY "${photonlink_cuda_dir}/module/" DESTINATION photonlink FILES_MATCHING PATTERN "_cuda.*")
endfunction()

if(photonlink_cuda_mode STREQUAL "OFF")
  message(STATUS "photonlink: built without its CUDA part: PHOTONLINK_CUDA=OFF")
else()
  photonlink_add_cuda()
endif()
