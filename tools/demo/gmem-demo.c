// SPDX-License-Identifier: GPL-2.0-only
/*
 * An accelerator works on malloc()ed memory.
 *
 * There is no buffer object here, no upload, no download and no mapping call:
 * the device gets the pointers that the program has. The program prints what
 * goes on behind them, and verifies every byte.
 *
 * Its last line is "demo: ok", and its status 0, if all was as it must be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hmadvise.h>

#include "device.h"
#include "show.h"

#define NR_NUMBERS	(64 * 1024)
#define MAX_NUMBER	20
#define IMAGE_BYTES	(6UL << 20)
#define STAMP		0x474d454d21474d45ULL

/* What fails ends the demo, with a line that says what. */
static void require(bool good, const char *what)
{
	if (good)
		return;
	printf("demo: FAILED: %s\n", what);
	fflush(stdout);
	exit(1);
}

/* ------------------------------------------------------ the small job: edu */

static uint32_t factorial(uint32_t x)
{
	uint32_t product = 1;

	while (x > 1)
		product *= x--;
	return product;
}

static bool factorials_are_right(const uint32_t *x)
{
	uint32_t table[MAX_NUMBER + 1];
	size_t i;

	for (i = 0; i <= MAX_NUMBER; i++)
		table[i] = factorial(i);
	for (i = 0; i < NR_NUMBERS; i++)
		if (x[i] != table[i % (MAX_NUMBER + 1)])
			return false;
	return true;
}

/* The device replaces numbers by their factorials, where they are. */
static void small_job(struct show *show)
{
	const struct device *dev = show->dev;
	uint32_t *x = malloc(NR_NUMBERS * sizeof(*x));
	struct area area = { "numbers", x, NR_NUMBERS * sizeof(*x) };
	struct gmem_mock_stats d;
	size_t i;

	require(x, "malloc");
	require(!device_set_engine("edu"), "choosing the edu engine");
	show_title(show, "The CPU writes numbers into malloc()ed memory.");
	for (i = 0; i < NR_NUMBERS; i++)
		x[i] = i % (MAX_NUMBER + 1);
	require(show_result(show, &area, 1), "map and counters disagree");
	require(area_is_on(&area, -1), "the numbers are not at home");

	show_title(show, "The device computes factorials: it faults, edu moves the pages.");
	require(!device_factorial(dev, x, NR_NUMBERS), "factorial");
	require(area_is_on(&area, dev->hnid), "the numbers did not move");
	require(show_result(show, &area, 1), "map and counters disagree");

	show_title(show, "The CPU uses the results: it faults, edu brings them home.");
	require(factorials_are_right(x), "a factorial is wrong");
	require(area_is_on(&area, -1), "the numbers did not come home");
	/* Every page went through edu: in two halves, each in and out. */
	require(!device_stats(dev, &d), "statistics");
	require(d.edu_dmas - show->last.edu_dmas >= area.len / 4096 * 4,
		"edu's engine did not bring the pages");
	require(d.edu_irqs > show->last.edu_irqs, "no interrupts of edu");
	require(show_result(show, &area, 1), "map and counters disagree");
	free(x);
}

/* -------------------------------------------------------- the big job: cpu */

struct image {
	uint64_t *in;
	uint64_t *out;
	size_t words;
};

static uint64_t pixel(size_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15ULL;
}

/* The stamp goes over the middle third. */
static bool in_stamp(const struct image *image, size_t i)
{
	return i >= image->words / 3 && i < image->words / 3 * 2;
}

static int stamp_on_device(const struct device *dev, struct image *image)
{
	size_t third = image->words / 3;
	int ret;

	ret = device_copy(dev, image->out, image->in,
			  image->words * sizeof(uint64_t));
	if (!ret)
		ret = device_fill(dev, image->out + third, STAMP,
				  third * sizeof(uint64_t));
	return ret;
}

static bool image_is_right(const struct image *image)
{
	size_t i;

	for (i = 0; i < image->words; i++)
		if (image->in[i] != pixel(i) ||
		    image->out[i] != (in_stamp(image, i) ? STAMP : pixel(i)))
			return false;
	return true;
}

static uint64_t sum_of_result(const struct image *image)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < image->words; i++)
		sum = gmem_mock_checksum_step(sum, i, in_stamp(image, i) ?
						      STAMP : pixel(i));
	return sum;
}

static void by_faults(struct show *show, struct image *image,
		      const struct area *area)
{
	size_t i;

	show_title(show, "The CPU fills an image of 6 MiB.");
	for (i = 0; i < image->words; i++)
		image->in[i] = pixel(i);
	require(show_result(show, area, 2), "map and counters disagree");

	show_title(show, "The device copies and stamps it: it faults, a CPU moves the bulk.");
	require(!stamp_on_device(show->dev, image), "the stamp");
	require(area_is_on(&area[0], show->dev->hnid), "the image did not move");
	require(area_is_on(&area[1], show->dev->hnid), "the copy did not move");
	require(show_result(show, area, 2), "map and counters disagree");

	show_title(show, "The CPU looks at each byte of both: it faults, they come home.");
	require(image_is_right(image), "a byte is wrong");
	require(area_is_on(&area[0], -1) && area_is_on(&area[1], -1),
		"the images did not come home");
	require(show_result(show, area, 2), "map and counters disagree");
}

static void move(const struct area *area, int hnid)
{
	uintptr_t first = (uintptr_t)area->start & ~4095UL;
	size_t len = (uintptr_t)area->start + area->len - first;
	long ret = hmadvise_all(hnid, (void *)first, len, HMADV_PREFETCH, 0);

	require(ret == (long)len, "hmadvise");
}

static void by_hints(struct show *show, struct image *image,
		     const struct area *area)
{
	int hnid = show->dev->hnid;
	struct gmem_mock_stats d;
	uint64_t sum;

	show_title(show, "hmadvise(device) beforehand: the pages move, nobody faults.");
	move(&area[0], hnid);
	move(&area[1], hnid);
	require(area_is_on(&area[0], hnid) && area_is_on(&area[1], hnid),
		"the images are not on the device");
	require(show_result(show, area, 2), "map and counters disagree");

	show_title(show, "The device works on them: nothing has to move.");
	memset(&d, 0, sizeof(d));
	require(!stamp_on_device(show->dev, image), "the stamp");
	require(!device_checksum(show->dev, image->out, area[1].len, &sum),
		"the checksum");
	require(sum == sum_of_result(image), "the device sees wrong data");
	require(!device_stats(show->dev, &d), "statistics");
	require(d.to_device_bytes == show->last.to_device_bytes,
		"data moved although it was there");
	require(show_result(show, area, 2), "map and counters disagree");
	require(!show->device_faults, "the device faulted nevertheless");

	show_title(show, "hmadvise(home), then the CPU looks at each byte: nobody faults.");
	move(&area[0], HMADV_NODE_ANY);
	move(&area[1], HMADV_NODE_ANY);
	require(area_is_on(&area[0], -1) && area_is_on(&area[1], -1),
		"the images are not at home");
	require(image_is_right(image), "a byte is wrong");
	require(show_result(show, area, 2), "map and counters disagree");
	require(!show->cpu_faults, "the CPU faulted nevertheless");
}

static void big_job(struct show *show)
{
	struct image image = {
		.in = malloc(IMAGE_BYTES),
		.out = malloc(IMAGE_BYTES),
		.words = IMAGE_BYTES / sizeof(uint64_t),
	};
	const struct area area[] = {
		{ "image", image.in, IMAGE_BYTES },
		{ "copy", image.out, IMAGE_BYTES },
	};

	require(image.in && image.out, "malloc");
	require(!device_set_engine("cpu"), "choosing the cpu engine");
	by_faults(show, &image, area);
	by_hints(show, &image, area);
	free(image.in);
	free(image.out);
}

int main(void)
{
	struct device dev;
	struct show show;
	int ret;

	/* One page for output, so that printing does not move memory about. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	ret = device_open(&dev, 0);
	if (ret)
		printf("/dev/gmem-mock0: %s\n", strerror(-ret));
	require(!ret, "attaching to the accelerator");
	printf("The accelerator has %llu MiB of its own, which is node %d.\n",
	       (unsigned long long)dev.mem_bytes >> 20, dev.hnid);
	printf("In the maps: h is host memory, 0 the device's, . nothing yet, * some of each.\n");
	require(show_begin(&show, &dev), "reading the counters");
	small_job(&show);
	big_job(&show);
	device_close(&dev);
	printf("\ndemo: ok\n");
	return 0;
}
