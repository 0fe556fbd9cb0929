#include <stdint.h>
enum drpc_module { DRPC_MODULE_GREETER = (int32_t)5 };
enum drpc_greeter_method {
	DRPC_METHOD_GREETER_HELLO = (unsigned short)(501),
	DRPC_METHOD_GREETER_BYE = (enum drpc_module)502,
	NUM_DRPC_GREETER_METHODS = (long long) -(int)3,
};
