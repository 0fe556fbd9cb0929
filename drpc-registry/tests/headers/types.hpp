#ifndef A_HPP
#pragma once
#include <cstdint>
#define A_HPP
namespace daos::ids {
enum drpc_module : int;
enum class drpc_greeter_method : std::int32_t;
enum drpc_module : int { DRPC_MODULE_GREETER = 5 };
enum class [[nodiscard]] drpc_greeter_method : std::int32_t {
	DRPC_METHOD_GREETER_HELLO = 501,
	DRPC_METHOD_GREETER_BYE,
};
}
static_assert(sizeof(daos::ids::drpc_module) == 4);
#endif
