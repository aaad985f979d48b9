// SPDX-License-Identifier: GPL-2.0-only
/*
 * hmadvise.h in a C++ program.
 */
#include <hmadvise.h>

#include <string>

int main()
{
	int32_t vec[] = { GMEM_NODE_NONE, 0, GMEM_NODE_UNKNOWN };
	char map[4];

	if (hmadvise_draw_residency(map, sizeof(map), vec, 3, 3, nullptr) != 1)
		return 1;
	if (std::string(map) != ".h?")
		return 1;
	return *hmadvise_strerror(0) ? 0 : 1;
}
