// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page that everybody wants: two devices and the CPU pull at it at the same
 * time. Each access is bounded, each side gets on, and nothing that was written
 * is lost.
 *
 * A device may give an access up with -EAGAIN when its translation was taken
 * away again and again. It must not do so for ever: then a side finishes
 * nothing in all the time.
 *
 * Runs on a mock that copies from device to device directly, and on one that does
 * not (peer_copy=0).
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "gmem_fixture.h"

#define LEN		GT_HUGE
#define MAX_SIDES	12
#define ROUNDS		50
/* Of copies, of which each needs two pages at once. */
#define COPIES		5
#define CROSS		(16 * GT_PAGE)
/* So often in a row a side may be told to try again, and not once more. */
#define PATIENCE	100
/* A page further on for every page of the block that is used. */
#define STRIDE		(8 * GT_PAGE)

enum side_kind { BY_CPU, BY_DEVICE, BY_HINT };

/* One who pulls. */
struct side {
	enum side_kind kind;
	struct gt_dev *dev;
	struct scene *scene;
	pthread_t thread;
	unsigned long done;	/* accesses that were finished */
	unsigned long again;	/* accesses that were given up */
	unsigned long in_row;	/* the longest row of those */
	int error;
};

struct scene {
	char *buf;
	unsigned int pages;	/* how many of the block are fought for */
	struct side side[MAX_SIDES];
	unsigned int nr;
	unsigned int finished;	/* sides that have their rounds */
	unsigned int must;	/* sides that have rounds to do */
	__u64 brought;		/* bytes that were moved to the devices before */
};

static __u64 *word_of(const struct scene *scene, unsigned long n)
{
	return (__u64 *)(scene->buf + n % scene->pages * STRIDE);
}

/* One access, tried until it is done. Returns 0 or an error. */
static int device_round(struct side *side, unsigned long n)
{
	unsigned long row = 0;
	int ret;

	for (;;) {
		ret = gt_atomic_add(side->dev, word_of(side->scene, n), 1,
				    NULL);
		if (ret != -EAGAIN)
			return ret;
		side->again++;
		if (++row > side->in_row)
			side->in_row = row;
		if (row >= PATIENCE)
			return -EAGAIN;
	}
}

/* Everybody goes on until all have done their rounds: nobody gets rest. */
static void *side_main(void *arg)
{
	struct side *side = arg;
	struct scene *scene = side->scene;
	/* A hint is for the whole block. */
	unsigned long n, rounds = side->kind == BY_HINT ? 1 : ROUNDS;
	long ret = 0;

	for (n = 0; gt_load(&scene->finished) < scene->must; n++) {
		switch (side->kind) {
		case BY_CPU:
			gt_add(word_of(scene, n), 1);
			break;
		case BY_DEVICE:
			ret = device_round(side, n);
			break;
		case BY_HINT:
			ret = gt_hmadvise(side->dev ? side->dev->hnid : 0,
					  scene->buf, LEN, HMADV_PREFETCH, 0);
			ret = ret == (long)LEN || ret == -EAGAIN ? 0 : ret;
			break;
		}
		if (ret) {
			side->error = ret;
			gt_add(&scene->finished, 1);
			break;
		}
		gt_store(&side->done, n + 1);
		if (n + 1 == rounds)
			gt_add(&scene->finished, 1);
	}
	return NULL;
}

static void add_side(struct scene *scene, enum side_kind kind,
		     struct gt_dev *dev)
{
	scene->side[scene->nr++] = (struct side){
		.kind = kind,
		.dev = dev,
		.scene = scene,
	};
	scene->must++;
}

/* Bytes that were moved to the devices of all sides, ever. */
static __u64 brought(struct __test_metadata *_metadata, struct scene *scene)
{
	struct gmem_mock_stats stats;
	struct side *side;
	__u64 sum = 0;

	for (side = scene->side; side < scene->side + scene->nr; side++) {
		if (side->kind != BY_DEVICE)
			continue;
		ASSERT_EQ(0, gt_stats(side->dev, &stats));
		sum += stats.to_device_bytes + stats.peer_bytes;
	}
	return sum;
}

static void play(struct __test_metadata *_metadata, struct scene *scene)
{
	struct side *side;

	scene->brought = brought(_metadata, scene);
	for (side = scene->side; side < scene->side + scene->nr; side++)
		ASSERT_EQ(0, pthread_create(&side->thread, NULL, side_main,
					    side));
	for (side = scene->side; side < scene->side + scene->nr; side++)
		ASSERT_EQ(0, pthread_join(side->thread, NULL));
}

/* Each side got on, and the words hold what all of them added. */
static void judge(struct __test_metadata *_metadata, struct scene *scene)
{
	__u64 added = 0, sum = 0;
	struct side *side;
	unsigned int i;

	for (side = scene->side; side < scene->side + scene->nr; side++) {
		TH_LOG("%s: %lu done, %lu given up, %lu in a row",
		       side->kind == BY_CPU ? "CPU" :
		       side->kind == BY_HINT ? "hint" : "device", side->done,
		       side->again, side->in_row);
		EXPECT_EQ(0, side->error);
		EXPECT_GT(side->done, 0);
		if (side->kind == BY_HINT)
			continue;
		EXPECT_GE(side->done, ROUNDS);
		added += side->done;
	}
	for (i = 0; i < scene->pages; i++)
		sum += *word_of(scene, i);
	EXPECT_EQ(added, sum);
	/* It did move, and more than once. */
	EXPECT_GE(brought(_metadata, scene), scene->brought + 3 * GT_PAGE);
}

/* What nobody fights for stays what it was. */
static void judge_rest(struct __test_metadata *_metadata, struct scene *scene)
{
	unsigned int i;

	for (i = 0; i < scene->pages; i++)
		*word_of(scene, i) = gt_pattern_word(1, i * STRIDE / 8);
	EXPECT_EQ(-1, gt_pattern_bad(scene->buf, LEN, 1));
}

static void bounce(struct __test_metadata *_metadata, struct scene *scene,
		   unsigned int pages, bool huge)
{
	unsigned int i;

	scene->pages = pages;
	scene->buf = gt_alloc(LEN, huge);
	ASSERT_NE(NULL, scene->buf);
	gt_pattern(scene->buf, LEN, 1);
	for (i = 0; i < pages; i++)
		*word_of(scene, i) = 0;
	play(_metadata, scene);
	judge(_metadata, scene);
	judge_rest(_metadata, scene);
	gt_free(scene->buf, LEN);
}

/* With one device only, it has two files, each with a page table of its own. */
static void both_devices(struct __test_metadata *_metadata, struct gt_dev *devs,
			 unsigned int nr, struct gt_dev *dev)
{
	dev[0] = devs[0];
	if (nr > 1)
		dev[1] = devs[1];
	else
		ASSERT_EQ(0, gt_open(&dev[1], 0));
}

static void two_devices(struct __test_metadata *_metadata, struct gt_dev *devs,
			unsigned int nr, unsigned int pages, bool huge)
{
	struct scene scene = { };
	struct gt_dev dev[2];

	both_devices(_metadata, devs, nr, dev);
	add_side(&scene, BY_DEVICE, &dev[0]);
	add_side(&scene, BY_DEVICE, &dev[1]);
	bounce(_metadata, &scene, pages, huge);
}

GT_TEST(two_devices_one_page_base)
{
	two_devices(_metadata, self->dev, self->nr, 1, false);
}

GT_TEST(two_devices_one_page_huge)
{
	two_devices(_metadata, self->dev, self->nr, 1, true);
}

GT_TEST(two_devices_many_pages_base)
{
	two_devices(_metadata, self->dev, self->nr, 40, false);
}

GT_TEST(two_devices_many_pages_huge)
{
	two_devices(_metadata, self->dev, self->nr, 40, true);
}

static void devices_and_cpu(struct __test_metadata *_metadata,
			    struct gt_dev *devs, unsigned int nr,
			    unsigned int pages, bool huge)
{
	struct scene scene = { };
	struct gt_dev dev[2];

	both_devices(_metadata, devs, nr, dev);
	add_side(&scene, BY_DEVICE, &dev[0]);
	add_side(&scene, BY_DEVICE, &dev[1]);
	add_side(&scene, BY_CPU, NULL);
	bounce(_metadata, &scene, pages, huge);
}

GT_TEST(devices_and_cpu_one_page_base)
{
	devices_and_cpu(_metadata, self->dev, self->nr, 1, false);
}

GT_TEST(devices_and_cpu_one_page_huge)
{
	devices_and_cpu(_metadata, self->dev, self->nr, 1, true);
}

GT_TEST(devices_and_cpu_many_pages_huge)
{
	devices_and_cpu(_metadata, self->dev, self->nr, 40, true);
}

/* Hints pull to every side as well, without a pause. */
static void with_hints(struct __test_metadata *_metadata, struct gt_dev *devs,
		       unsigned int nr, bool huge)
{
	struct scene scene = { };
	struct gt_dev dev[2];

	both_devices(_metadata, devs, nr, dev);
	add_side(&scene, BY_DEVICE, &dev[0]);
	add_side(&scene, BY_DEVICE, &dev[1]);
	add_side(&scene, BY_CPU, NULL);
	add_side(&scene, BY_HINT, &dev[0]);
	add_side(&scene, BY_HINT, &dev[1]);
	add_side(&scene, BY_HINT, NULL);
	bounce(_metadata, &scene, 8, huge);
}

GT_TEST(hints_too_base)
{
	with_hints(_metadata, self->dev, self->nr, false);
}

GT_TEST(hints_too_huge)
{
	with_hints(_metadata, self->dev, self->nr, true);
}

/* Many threads of every kind. */
GT_TEST(crowd)
{
	struct scene scene = { };
	struct gt_dev dev[2];
	unsigned int i;

	both_devices(_metadata, self->dev, self->nr, dev);
	for (i = 0; i < 3; i++) {
		add_side(&scene, BY_DEVICE, &dev[0]);
		add_side(&scene, BY_DEVICE, &dev[1]);
		add_side(&scene, BY_CPU, NULL);
	}
	bounce(_metadata, &scene, 1, true);
}

/*
 * Two devices that want two pages each for one access, in opposite order: a
 * copy holds neither while it waits for the other.
 */
struct copier {
	struct gt_dev *dev;
	char *from;
	char *to;
	unsigned long done;
	int error;
	bool *stop;
};

static void *copies(void *arg)
{
	struct copier *c = arg;
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_COPY,
		.va = (uintptr_t)c->to,
		.arg = (uintptr_t)c->from,
		.len = 64,
	};
	unsigned int row = 0;
	int ret;

	while (!gt_load(c->stop)) {
		ret = gt_run(c->dev, &op);
		row = ret == -EAGAIN ? row + 1 : 0;
		if ((ret && ret != -EAGAIN) || row > PATIENCE) {
			c->error = ret;
			break;
		}
		if (!ret)
			gt_add(&c->done, 1);
	}
	return NULL;
}

static void crossed(struct __test_metadata *_metadata, struct gt_dev *devs,
		    unsigned int nr, size_t bytes, bool huge)
{
	char *buf = gt_alloc(2 * LEN, huge);
	struct copier c[2];
	struct gt_dev dev[2];
	pthread_t thread[2];
	bool stop = false;
	unsigned int i, n;

	both_devices(_metadata, devs, nr, dev);
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, bytes, 1);
	gt_pattern(buf + LEN, bytes, 1);
	for (i = 0; i < 2; i++) {
		/* From the start of one block to a later page of the other. */
		c[i] = (struct copier){
			.dev = &dev[i],
			.from = buf + i * LEN,
			.to = buf + !i * LEN + bytes / 2,
			.stop = &stop,
		};
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, copies, &c[i]));
	}
	/* As long as it takes, but not for ever. */
	for (n = 0; n < 6000 && !gt_load(&c[0].error) && !gt_load(&c[1].error);
	     n++) {
		if (gt_load(&c[0].done) >= COPIES &&
		    gt_load(&c[1].done) >= COPIES)
			break;
		usleep(10000);
	}
	gt_store(&stop, true);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(0, c[i].error);
		EXPECT_GE(c[i].done, COPIES);
		EXPECT_EQ(0, memcmp(c[i].from, c[i].to, 64));
	}
	TH_LOG("%lu and %lu copies", c[0].done, c[1].done);
	EXPECT_EQ(-1, gt_pattern_bad(buf, bytes / 2, 1));
	gt_free(buf, 2 * LEN);
}

GT_TEST(crossed_copies_base)
{
	/* Little to carry: what is fought for is the right to two pages. */
	crossed(_metadata, self->dev, self->nr, CROSS, false);
}

GT_TEST(crossed_copies_huge)
{
	crossed(_metadata, self->dev, self->nr, CROSS, true);
}

/* A whole block of base pages each. */
GT_TEST(crossed_copies_whole_base)
{
	crossed(_metadata, self->dev, self->nr, LEN, false);
}

TEST_HARNESS_MAIN
