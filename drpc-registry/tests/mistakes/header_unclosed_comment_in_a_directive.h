#define A_H /* why
enum drpc_module { DRPC_MODULE_A = 2, NUM_DRPC_MODULES };
