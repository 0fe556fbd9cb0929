#ifndef MODULES_H
#define MODULES_H
enum drpc_module {
	DRPC_MODULE_GREETER = 5,
	NUM_DRPC_MODULES
};
