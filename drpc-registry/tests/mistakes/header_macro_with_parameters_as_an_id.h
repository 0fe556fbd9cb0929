#define METHOD(n) (500 + (n))
enum drpc_module { DRPC_MODULE_GREETER = 5 };
enum drpc_greeter_method { DRPC_METHOD_GREETER_HELLO = METHOD(1) };
