// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM mock accelerator: moving data.
 *
 * Two engines do the same work. edu's is a real DMA engine with interrupts and
 * bus addresses, and slow; a CPU is fast, and stands for an engine whose speed
 * is not the question. Which one is taken is a setting, see
 * gmock_engine_pick(); nobody else in the driver knows the difference.
 */
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/instrumented.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "mock.h"

static const char * const engine_names[] = {
	[GMEM_MOCK_ENGINE_EDU] = "edu",
	[GMEM_MOCK_ENGINE_CPU] = "cpu",
	[GMEM_MOCK_ENGINE_AUTO] = "auto",
};

static enum gmem_mock_engine engine = GMEM_MOCK_ENGINE_AUTO;

static int engine_set(const char *val, const struct kernel_param *kp)
{
	int i = sysfs_match_string(engine_names, val);

	if (i < 0)
		return i;
	WRITE_ONCE(engine, i);
	return 0;
}

static int engine_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", engine_names[READ_ONCE(engine)]);
}

static const struct kernel_param_ops engine_ops = {
	.set = engine_set,
	.get = engine_get,
};

module_param_cb(engine, &engine_ops, NULL, 0644);
MODULE_PARM_DESC(engine, "what moves data: edu (DMA, slow), cpu, or auto: edu for copies of up to edu_max bytes (default: auto)");

unsigned long gmock_edu_max = PAGE_SIZE;
module_param_named(edu_max, gmock_edu_max, ulong, 0644);
MODULE_PARM_DESC(edu_max, "largest copy in bytes that engine=auto gives to edu (default: one page)");

bool gmock_verify = true;
module_param_named(verify, gmock_verify, bool, 0644);
MODULE_PARM_DESC(verify, "compare what edu moved for GMEM with what it was to move: edu reports no errors (default: Y)");

static bool peer_copy = true;
module_param(peer_copy, bool, 0644);
MODULE_PARM_DESC(peer_copy, "copy from one device's memory to another's directly, not by way of the host (default: Y)");

/**
 * gmock_engine_setting() - the module parameter
 *
 * Return: the engine that is set, which may be %GMEM_MOCK_ENGINE_AUTO.
 */
enum gmem_mock_engine gmock_engine_setting(void)
{
	return READ_ONCE(engine);
}

/**
 * gmock_engine_pick() - choose the engine for a job
 * @bytes: size of the whole job, which may be several copies
 *
 * Return: %GMEM_MOCK_ENGINE_EDU or %GMEM_MOCK_ENGINE_CPU.
 */
enum gmem_mock_engine gmock_engine_pick(u64 bytes)
{
	enum gmem_mock_engine pick = READ_ONCE(engine);

	if (pick != GMEM_MOCK_ENGINE_AUTO)
		return pick;
	return bytes <= READ_ONCE(gmock_edu_max) ? GMEM_MOCK_ENGINE_EDU :
						   GMEM_MOCK_ENGINE_CPU;
}

/**
 * gmock_vram_init() - make the device's memory reachable
 * @gd: accelerator; gmock_vram.pdev is set, and edu is ready
 *
 * Return: 0 or a negative errno.
 */
int gmock_vram_init(struct gmock_dev *gd)
{
	struct gmock_vram *vram = &gd->vram;
	phys_addr_t bar = pci_resource_start(vram->pdev, 2);
	struct device *dma_dev = &gd->edu.pdev->dev;

	vram->size = pci_resource_len(vram->pdev, 2);
	vram->cpu = memremap(bar, vram->size, MEMREMAP_WB);
	if (!vram->cpu)
		return -ENOMEM;

	/* Another device's BAR: behind an IOMMU, edu needs it mapped. */
	vram->dma = dma_map_resource(dma_dev, bar, vram->size,
				     DMA_BIDIRECTIONAL, 0);
	if (dma_mapping_error(dma_dev, vram->dma)) {
		memunmap(vram->cpu);
		return -EIO;
	}
	return 0;
}

/**
 * gmock_vram_exit() - undo gmock_vram_init()
 * @gd: accelerator
 */
void gmock_vram_exit(struct gmock_dev *gd)
{
	struct gmock_vram *vram = &gd->vram;

	dma_unmap_resource(&gd->edu.pdev->dev, vram->dma, vram->size,
			   DMA_BIDIRECTIONAL, 0);
	memunmap(vram->cpu);
}

/**
 * gmock_place_map() - let the CPU access a place
 * @gd: accelerator
 * @place: place; of host memory only up to the end of the page
 *
 * Return: the address, for gmock_place_unmap(). Nests like kmap_local_page().
 */
void *gmock_place_map(struct gmock_dev *gd, const struct gmock_place *place)
{
	if (place->local)
		return gd->vram.cpu + place->addr;
	if (place->peer)
		return place->peer->vram.cpu + place->addr;
	return kmap_local_page(pfn_to_page(PHYS_PFN(place->addr))) +
	       offset_in_page(place->addr);
}

/**
 * gmock_place_unmap() - undo gmock_place_map()
 * @place: place
 * @cpu: what gmock_place_map() returned
 */
void gmock_place_unmap(const struct gmock_place *place, void *cpu)
{
	if (!place->local && !place->peer)
		kunmap_local(cpu);
}

static dma_addr_t place_dma(struct gmock_dev *gd,
			    const struct gmock_place *place)
{
	return place->local ? gd->vram.dma + place->addr : place->dma;
}

static bool place_valid(struct gmock_dev *gd, const struct gmock_place *place,
			size_t len)
{
	struct gmock_dev *owner = place->local ? gd : place->peer;

	return !owner || (place->addr <= owner->vram.size &&
			  len <= owner->vram.size - place->addr);
}

static struct gmock_place place_at(const struct gmock_place *place, size_t off)
{
	return (struct gmock_place){
		.local = place->local,
		.addr = place->addr + off,
		.dma = place->dma + off,
		.peer = place->peer,
	};
}

/* Bytes from @place up to the end of its page. */
static size_t page_left(const struct gmock_place *place)
{
	return PAGE_SIZE - offset_in_page(place->addr);
}

/*
 * Whole pages as the kernel copies pages: what a benchmark compares with. KASAN does not
 * see into that, and a stale translation is what it is to see.
 */
static void copy_bytes(void *to, const void *from, size_t n)
{
	if (n == PAGE_SIZE) {
		instrument_memcpy_before(to, from, n);
		copy_page(to, (void *)from);
	} else {
		memcpy(to, from, n);
	}
}

enum cpu_job { CPU_COPY, CPU_COMPARE };

/* Page by page, because host memory is mapped page by page. */
static int cpu_run(struct gmock_dev *gd, enum cpu_job job,
		   const struct gmock_place *dst, const struct gmock_place *src,
		   size_t len)
{
	size_t off, n;
	int ret = 0;

	for (off = 0; off < len && !ret; off += n) {
		struct gmock_place d = place_at(dst, off);
		struct gmock_place s = place_at(src, off);
		void *to = gmock_place_map(gd, &d);
		void *from = gmock_place_map(gd, &s);

		n = min3(len - off, page_left(&d), page_left(&s));
		if (job == CPU_COPY)
			copy_bytes(to, from, n);
		else if (memcmp(to, from, n))
			ret = -EIO;
		gmock_place_unmap(&s, from);
		gmock_place_unmap(&d, to);
	}
	return ret;
}

/*
 * edu takes minutes for a large page. Data on its way to a device that ends, or
 * for a program that was killed, can stay where it is. Data on its way home
 * cannot.
 */
static int to_device_ends(struct gmock_dev *gd)
{
	if (READ_ONCE(gd->ending))
		return -ENODEV;
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/*
 * The DMA unit is released after each page, so that a long copy does not keep
 * others waiting, who may hold up an invalidation.
 */
static int edu_run(struct gmock_dev *gd, const struct gmock_place *dst,
		   const struct gmock_place *src, size_t len)
{
	dma_addr_t to = place_dma(gd, dst), from = place_dma(gd, src);
	size_t off, n;
	int ret = 0;

	for (off = 0; off < len && !ret; off += n) {
		guard(mutex)(&gd->edu.dma_lock);
		n = min_t(size_t, len - off, PAGE_SIZE);
		if (dst->local)
			ret = to_device_ends(gd);
		/* Data can stay on the other device as well. */
		if (src->peer && READ_ONCE(src->peer->ending))
			ret = -ENODEV;
		if (!ret)
			ret = gmock_edu_copy(gd, to + off, from + off, n);
	}
	return ret;
}

/**
 * gmock_copy() - copy from place to place
 * @gd: accelerator
 * @engine: %GMEM_MOCK_ENGINE_EDU or %GMEM_MOCK_ENGINE_CPU
 * @dst: destination
 * @src: source; does not overlap
 * @len: bytes
 *
 * Return: 0, -EIO, -ENODEV, or -EINTR if the program was killed while data
 * went to the device. edu does not see whether the data arrived.
 */
int gmock_copy(struct gmock_dev *gd, enum gmem_mock_engine engine,
	       const struct gmock_place *dst, const struct gmock_place *src,
	       size_t len)
{
	if (!place_valid(gd, dst, len) || !place_valid(gd, src, len))
		return -EIO;
	if (engine == GMEM_MOCK_ENGINE_EDU)
		return edu_run(gd, dst, src, len);
	atomic64_add(len, &gd->count.cpu_bytes);
	return cpu_run(gd, CPU_COPY, dst, src, len);
}

/**
 * gmock_store() - write a buffer of the driver to a place
 * @gd: accelerator
 * @engine: %GMEM_MOCK_ENGINE_EDU or %GMEM_MOCK_ENGINE_CPU
 * @dst: destination, within a page
 * @buf: source
 * @len: bytes, at most PAGE_SIZE
 *
 * Return: 0, -EIO, or -ENODEV.
 */
int gmock_store(struct gmock_dev *gd, enum gmem_mock_engine engine,
		const struct gmock_place *dst, const void *buf, size_t len)
{
	void *cpu;

	if (!place_valid(gd, dst, len) || len > page_left(dst))
		return -EIO;
	if (engine == GMEM_MOCK_ENGINE_EDU) {
		guard(mutex)(&gd->edu.dma_lock);
		memcpy(gd->edu.page, buf, len);
		return gmock_edu_copy(gd, place_dma(gd, dst), gd->edu.page_dma,
				      len);
	}
	cpu = gmock_place_map(gd, dst);
	copy_bytes(cpu, buf, len);
	gmock_place_unmap(dst, cpu);
	atomic64_add(len, &gd->count.cpu_bytes);
	return 0;
}

/**
 * gmock_load() - read a place into a buffer of the driver
 * @gd: accelerator
 * @engine: %GMEM_MOCK_ENGINE_EDU or %GMEM_MOCK_ENGINE_CPU
 * @buf: destination
 * @src: source, within a page
 * @len: bytes, at most PAGE_SIZE
 *
 * Return: 0, -EIO, or -ENODEV.
 */
int gmock_load(struct gmock_dev *gd, enum gmem_mock_engine engine,
	       void *buf, const struct gmock_place *src, size_t len)
{
	void *cpu;
	int ret;

	if (!place_valid(gd, src, len) || len > page_left(src))
		return -EIO;
	if (engine == GMEM_MOCK_ENGINE_EDU) {
		guard(mutex)(&gd->edu.dma_lock);
		ret = gmock_edu_copy(gd, gd->edu.page_dma, place_dma(gd, src),
				     len);
		if (!ret)
			memcpy(buf, gd->edu.page, len);
		return ret;
	}
	cpu = gmock_place_map(gd, src);
	copy_bytes(buf, cpu, len);
	gmock_place_unmap(src, cpu);
	atomic64_add(len, &gd->count.cpu_bytes);
	return 0;
}

/* Did edu do what it said? Both sides hold still: GMEM sees to that. */
static int verify(struct gmock_dev *gd, const struct gmock_place *dst,
		  const struct gmock_place *src, size_t len)
{
	int ret = 0;

	if (src)
		ret = cpu_run(gd, CPU_COMPARE, dst, src, len);
	else if (memchr_inv(gd->vram.cpu + dst->addr, 0, len))
		ret = -EIO;
	if (ret)
		atomic64_inc(&gd->count.verify_errors);
	return ret;
}

static int clear(struct gmock_dev *gd, enum gmem_mock_engine engine,
		 const struct gmock_place *dst, size_t len)
{
	const void *zero = page_address(ZERO_PAGE(0));
	size_t off;
	int ret = 0;

	for (off = 0; off < len && !ret; off += PAGE_SIZE) {
		struct gmock_place page = place_at(dst, off);

		ret = to_device_ends(gd);
		if (!ret)
			ret = gmock_store(gd, engine, &page, zero, PAGE_SIZE);
	}
	return ret;
}

static bool is_disconnected(const struct gmock_dev *gd)
{
	return pci_dev_is_disconnected(gd->edu.pdev) ||
	       pci_dev_is_disconnected(gd->vram.pdev);
}

/**
 * gmock_can_copy_from() - whether a device reaches the memory of another one
 * @gd: accelerator that copies
 * @peer: accelerator that has the data
 *
 * A CPU and edu's DMA both do. It is a setting, so that both ways can be tested.
 *
 * Return: true if so.
 */
bool gmock_can_copy_from(struct gmock_dev *gd, struct gmock_dev *peer)
{
	return READ_ONCE(peer_copy) && !is_disconnected(peer);
}

/* From the other's DRAM; edu needs a bus address of its own for it. */
static int copy_from_peer(struct gmock_dev *gd, enum gmem_mock_engine engine,
			  const struct gmock_place *dst,
			  struct gmock_place *src, size_t len)
{
	phys_addr_t bar = pci_resource_start(src->peer->vram.pdev, 2);
	struct device *dma_dev = &gd->edu.pdev->dev;
	int ret;

	if (engine != GMEM_MOCK_ENGINE_EDU)
		return gmock_copy(gd, engine, dst, src, len);
	src->dma = dma_map_resource(dma_dev, bar + src->addr, len,
				    DMA_TO_DEVICE, 0);
	if (dma_mapping_error(dma_dev, src->dma))
		return -EIO;
	ret = gmock_copy(gd, engine, dst, src, len);
	dma_unmap_resource(dma_dev, src->dma, len, DMA_TO_DEVICE, 0);
	return ret;
}

/* One extent. What edu moved is verified: somebody's only copy is at stake. */
static int migrate_one(struct gmock_dev *gd, enum gmem_mock_engine engine,
		       const struct gm_copy_extent *ext)
{
	struct gmock_place host = { false, ext->phys, ext->dma_addr };
	struct gmock_place vram = { true, ext->dpa };
	struct gmock_place peer = { .addr = ext->peer_dpa };
	const struct gmock_place *dst = &vram, *src = NULL;
	atomic64_t *bytes = &gd->count.zeroed_bytes;
	int ret = -EIO;

	if (ext->op == GM_COPY_TO_DEVICE) {
		src = &host;
		bytes = &gd->count.to_device_bytes;
	} else if (ext->op == GM_COPY_FROM_DEVICE) {
		dst = &host;
		src = &vram;
		bytes = &gd->count.from_device_bytes;
	} else if (ext->op == GM_COPY_FROM_PEER) {
		peer.peer = gm_dev_priv(ext->peer);
		src = &peer;
		bytes = &gd->count.peer_bytes;
	}

	if (is_disconnected(gd) || (peer.peer && is_disconnected(peer.peer)))
		ret = -ENODEV;
	else if (should_fail(&gmock_fail_copy, ext->size))
		ret = -EIO;
	else if (peer.peer)
		ret = copy_from_peer(gd, engine, dst, &peer, ext->size);
	else
		ret = src ? gmock_copy(gd, engine, dst, src, ext->size) :
			    clear(gd, engine, dst, ext->size);
	if (!ret && engine == GMEM_MOCK_ENGINE_EDU && READ_ONCE(gmock_verify))
		ret = verify(gd, dst, src, ext->size);
	if (ret)
		atomic64_inc(&gd->count.copy_errors);
	else
		atomic64_add(ext->size, bytes);
	return ret;
}

/* Asks the device itself: the PCI core learns later that one was pulled out. */
static bool has_vanished(const struct gmock_dev *gd)
{
	return !pci_device_is_present(gd->edu.pdev) ||
	       !pci_device_is_present(gd->vram.pdev);
}

/*
 * What was read from a device that has vanished meanwhile is not the data, and what
 * was written to one is gone. A read or write of a BAR does not tell.
 */
static int check_present(struct gmock_dev *gd, const struct gm_copy_extent *ext,
			 unsigned int nr)
{
	struct gm_dev *last = NULL;
	unsigned int i;

	if (has_vanished(gd))
		return -ENODEV;
	for (i = 0; i < nr; i++) {
		if (ext[i].op != GM_COPY_FROM_PEER || ext[i].peer == last)
			continue;
		last = ext[i].peer;
		if (has_vanished(gm_dev_priv(last)))
			return -ENODEV;
	}
	return 0;
}

/**
 * gmock_migrate() - carry out a batch of copies for GMEM
 * @gd: accelerator
 * @ext: what to do
 * @nr: number of extents
 *
 * Return: as gmock_copy().
 */
int gmock_migrate(struct gmock_dev *gd, const struct gm_copy_extent *ext,
		  unsigned int nr)
{
	enum gmem_mock_engine engine;
	u64 start = sched_clock();
	unsigned int i;
	u64 bytes = 0;
	int ret = 0;

	for (i = 0; i < nr; i++)
		bytes += ext[i].size;
	engine = gmock_engine_pick(bytes);
	for (i = 0; i < nr && !ret; i++)
		ret = migrate_one(gd, engine, &ext[i]);
	if (!ret)
		ret = check_present(gd, ext, nr);
	atomic64_add(sched_clock() - start, &gd->count.copy_ns);
	return ret;
}
