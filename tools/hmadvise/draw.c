// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libhmadvise: a residency map as a line of letters.
 */
#include "hmadvise.h"

static const char hnode_letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

static char letter(int32_t node, const struct hmadvise_nodes *nodes)
{
	const struct hmadvise_node *hnode;
	size_t i;

	if (node == GMEM_NODE_NONE)
		return '.';
	if (node < 0)
		return '?';
	if (!nodes)
		return 'h';
	for (i = 0; (hnode = hmadvise_nodes_get(nodes, i)); i++) {
		if (hnode->hnid == node)
			return i < sizeof(hnode_letters) - 1 ?
			       hnode_letters[i] : '#';
	}
	return 'h';
}

size_t hmadvise_draw_residency(char *buf, size_t size, const int32_t *vec,
			       size_t n, unsigned int columns,
			       const struct hmadvise_nodes *nodes)
{
	size_t per_letter, i, j, out = 0;
	int32_t node = 0;
	char last = 0;

	if (!size)
		return 0;
	if (columns > size - 1)
		columns = size - 1;
	buf[0] = '\0';
	if (!n || !columns)
		return 0;

	per_letter = n / columns + !!(n % columns);
	for (i = 0; i < n; i += per_letter) {
		char c = 0;

		for (j = i; j < n && j - i < per_letter; j++) {
			/* Neighbours are mostly alike: look up once. */
			if (!last || vec[j] != node) {
				node = vec[j];
				last = letter(node, nodes);
			}
			if (c && c != last) {
				c = '*';
				break;
			}
			c = last;
		}
		buf[out++] = c;
	}
	buf[out] = '\0';
	return per_letter;
}
