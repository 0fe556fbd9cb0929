enum drpc_module { DRPC_MODULE_GREETER = 1 << 2 | 1, NUM_DRPC_MODULES = 07L };
enum drpc_greeter_method {
	DRPC_METHOD_GREETER_HELLO = DRPC_MODULE_GREETER * 100 + 1, /* the first */
	DRPC_METHOD_GREETER_BYE = ((DRPC_METHOD_GREETER_HELLO) + 1) /* the second */,
	NUM_DRPC_GREETER_METHODS = ~-2 - (-7 % 3 + 10 / 3 - (6 ^ 3) + (7 & 12) - (2 >> 1)) + 1'000,
};
