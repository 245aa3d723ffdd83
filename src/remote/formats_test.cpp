#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "remote/base64.h"
#include "remote/npy.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using std::string_literals::operator""s;

std::string npy(const std::string& dictionary, const std::string& data, char version = 1) {
  std::string file = "\x93NUMPY"s + version + "\0"s;
  file += static_cast<char>(dictionary.size());
  file += version == 1 ? "\0"s : "\0\0\0"s;
  return file + dictionary + data;
}

const std::string kHeader = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }  \n";
const std::string kOneAndMinusTwo = "\x00\x00\x80\x3f\x00\x00\x00\xc0"s;

TEST(Base64, GivesTheBytesOfRfc4648) {
  EXPECT_EQ(*decode_base64(""), "");
  EXPECT_EQ(*decode_base64("Zg=="), "f");
  EXPECT_EQ(*decode_base64("Zm8="), "fo");
  EXPECT_EQ(*decode_base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(*decode_base64("+/8A"), "\xfb\xff\x00"s);
}

TEST(Base64, WhatIsNoneIsRefused) {
  for (const char* text : {"Zg", "Zg=", "Z===", "====", "Zm=v", "Zm9v\n", "Zm 9", "Zm9-"})
    EXPECT_FALSE(decode_base64(text)) << text;
}

TEST(Npy, IsReadRowByRow) {
  for (const char version : {'\1', '\2', '\3'}) {
    const auto matrix = parse_npy(npy(kHeader, kOneAndMinusTwo, version), 1, 2);
    ASSERT_TRUE(matrix) << matrix.error().message();
    EXPECT_THAT(matrix->row(0), ElementsAre(1.0F, -2.0F));
  }
}

TEST(Npy, OtherShapesTypesAndOrdersAreRefused) {
  const auto refused = [](const std::string& from, const std::string& to) {
    std::string header = kHeader;
    header.replace(header.find(from), from.size(), to);
    return parse_npy(npy(header, kOneAndMinusTwo), 1, 2).error().message();
  };
  EXPECT_THAT(refused("<f4", "<f8"), HasSubstr("float32"));
  EXPECT_THAT(refused("<f4", ">f4"), HasSubstr("float32"));
  EXPECT_THAT(refused("False", "True"), HasSubstr("order"));
  EXPECT_THAT(refused("(1, 2)", "(2, 1)"), HasSubstr("shape"));
  EXPECT_THAT(refused("(1, 2)", "(1, 21)"), HasSubstr("shape"));
  EXPECT_THAT(refused("(1, 2)", "(2,)"), HasSubstr("shape"));
}

TEST(Npy, WhatIsCutOrLongerThanItSaysIsRefused) {
  const std::string whole = npy(kHeader, kOneAndMinusTwo);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_npy(whole.substr(0, size), 1, 2)) << size;
  EXPECT_FALSE(parse_npy(whole + "x", 1, 2));
  EXPECT_FALSE(parse_npy("x" + whole, 1, 2));
  EXPECT_FALSE(parse_npy(npy(kHeader, kOneAndMinusTwo, 4), 1, 2));
}

}  // namespace
}  // namespace rsd
