// As asio_precompiled.h, for unit tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asio_precompiled.h"
