enum drpc_module { DRPC_MODULE_A = 1 };
enum drpc_module current;
