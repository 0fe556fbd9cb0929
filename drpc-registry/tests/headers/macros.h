#pragma once
#include <sys/cdefs.h>
#define DRPC_METHOD_OF(m, n) ((m) * 100 + (n))
#define DRPC_MODULE_NAME(x) #x
enum drpc_module { DRPC_MODULE_GREETER = 5 };
enum drpc_greeter_method { DRPC_METHOD_GREETER_HELLO = 501, DRPC_METHOD_GREETER_BYE };
