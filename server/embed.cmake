# rsd_embed(<out.cpp> <openapi.json> <page file>…): the files as constants of a C++ file, which
# implements page_files.h. Runs when CMake configures; a change of a file makes it run again.

function(rsd_embed_bytes name file out)
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  # An array may not be empty; the string_view leaves the last byte out.
  set(${out} "constexpr unsigned char ${name}[] = {${bytes}0x00};\n" PARENT_SCOPE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
endfunction()

function(rsd_embed source openapi)
  set(type_html "text/html; charset=utf-8")
  set(type_js "text/javascript; charset=utf-8")
  set(type_css "text/css; charset=utf-8")
  set(type_svg "image/svg+xml")
  set(type_json "application/json")
  set(type_png "image/png")
  set(type_ico "image/x-icon")
  rsd_embed_bytes(kOpenapi "${openapi}" constants)
  set(entries "")
  set(number 0)
  foreach(file IN LISTS ARGN)
    rsd_embed_bytes(kFile${number} "${file}" constant)
    string(APPEND constants "${constant}")
    get_filename_component(name "${file}" NAME)
    get_filename_component(extension "${file}" LAST_EXT)
    string(SUBSTRING "${extension}" 1 -1 extension)
    if(NOT DEFINED type_${extension})
      message(FATAL_ERROR "rsd_embed: no content type is known for ${file}")
    endif()
    if(name STREQUAL "index.html")
      set(name "")
    endif()
    string(APPEND entries "    {\"/${name}\", \"${type_${extension}}\", view(kFile${number})},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT [[
// Made by server/embed.cmake.
#include "server/page_files.h"

#include <cstddef>

namespace rsd::server {
namespace {

@constants@
template <std::size_t N>
std::string_view view(const unsigned char (&bytes)[N]) {
  return {reinterpret_cast<const char*>(bytes), N - 1};
}

}  // namespace

std::span<const PageFile> page_files() {
  static const PageFile files[] = {
@entries@  };
  return files;
}

std::string_view openapi_json() {
  return view(kOpenapi);
}

}  // namespace rsd::server
]])
endfunction()
