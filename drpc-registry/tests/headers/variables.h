const enum drpc_module { DRPC_MODULE_GREETER = 5 } drpc_the_module;
enum drpc_greeter_method { DRPC_METHOD_GREETER_HELLO = 501, DRPC_METHOD_GREETER_BYE, };;
_Static_assert(DRPC_METHOD_GREETER_HELLO == 501, "as everywhere");
_Static_assert(sizeof(enum drpc_module) > 0, "(");
