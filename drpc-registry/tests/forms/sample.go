// Code generated from the dRPC registry. DO NOT EDIT.

package modules

// The IDs of the modules.
const (
	ModuleBelowZero = -3
	ModuleEmpty     = 0  // A module without methods.
	ModuleType      = 12 // A module named by a keyword. With a second paragraph, * / the end of a C comment, and a pipe | too.
)

// The IDs of the methods of module below_zero.
const (
	MethodBelowZeroLowest  = -300
	MethodBelowZeroHighest = -201
)

// The IDs of the methods of module type.
const (
	MethodTypeName   = 1201
	MethodTypeId     = 1202 // A "quoted" <word>, a mark, `code | <T>` and a [link] in braces {}.
	MethodTypeMethod = 1203 // Takes one like Request { id: 5 } ``` let reply = call(); ```
	MethodTypeMatch  = 1210 // A method named by a keyword.
)
