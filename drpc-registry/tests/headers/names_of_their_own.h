typedef enum drpc_module_e { DRPC_MODULE_GREETER = 5, } drpc_module;
typedef enum _greeter { DRPC_METHOD_GREETER_HELLO = 501, DRPC_METHOD_GREETER_BYE } drpc_greeter_method;
typedef enum drpc_module_e modules_t;
