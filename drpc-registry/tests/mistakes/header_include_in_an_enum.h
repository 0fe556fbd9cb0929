enum drpc_module {
#include "modules.inc"
	NUM_DRPC_MODULES
};
