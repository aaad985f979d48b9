// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM mock accelerator: the edu function.
 *
 * What there is to know about QEMU's edu device:
 *
 * - Its DMA unit copies between bus addresses and a buffer of 4 KiB inside the
 *   device. Bus to bus takes two DMAs.
 * - QEMU aborts if a DMA reaches the last byte of the buffer or has a length of
 *   0. This driver uses the first half of the buffer only.
 * - A DMA takes 100 ms of virtual time, whatever its length. The waits are
 *   driven by interrupts, so that a guest with nothing else to do idles; with
 *   -icount shift=5,sleep=off a DMA then takes a fraction of a millisecond.
 * - A DMA that failed (bus mastering off, IOMMU fault, no memory there) is
 *   signalled as complete. Who wants to know compares the data.
 * - The factorial unit runs in host time, about 1 ns per unit of x, and is
 *   polled: its time does not fit into the guest's clock under -icount.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/pci.h>

#include "mock.h"

#define EDU_REG_FACTORIAL	0x08
#define EDU_REG_STATUS		0x20
#define EDU_STATUS_BUSY		BIT(0)
#define EDU_REG_IRQ_STATUS	0x24
#define EDU_REG_IRQ_ACK		0x64
#define EDU_IRQ_DMA		BIT(8)
#define EDU_REG_DMA_SRC		0x80
#define EDU_REG_DMA_DST		0x88
#define EDU_REG_DMA_COUNT	0x90
#define EDU_REG_DMA_CMD		0x98
#define EDU_CMD_RUN		BIT(0)
#define EDU_CMD_TO_BUS		BIT(1)
#define EDU_CMD_IRQ		BIT(2)

#define EDU_BUFFER		0x40000
#define EDU_DMA_MAX		SZ_2K

#define EDU_DMA_TIMEOUT		(10 * HZ)
#define EDU_POLL_TIMEOUT_US	(5 * USEC_PER_SEC)

static irqreturn_t edu_irq(int irq, void *data)
{
	struct gmock_dev *gd = data;
	u32 status = readl(gd->edu.regs + EDU_REG_IRQ_STATUS);

	/* All ones: the device is gone, and this is another one's interrupt. */
	if (!status || status == U32_MAX)
		return IRQ_NONE;
	writel(status, gd->edu.regs + EDU_REG_IRQ_ACK);
	atomic64_inc(&gd->count.edu_irqs);
	if (status & EDU_IRQ_DMA)
		complete(&gd->edu.dma_done);
	return IRQ_HANDLED;
}

/* One DMA: between the bus and the start of edu's buffer. */
static int edu_dma(struct gmock_dev *gd, u64 src, u64 dst, size_t len, u32 cmd)
{
	unsigned long left = EDU_DMA_TIMEOUT;
	struct gmock_edu *edu = &gd->edu;
	u32 state;

	lockdep_assert_held(&edu->dma_lock);
	if (WARN_ON_ONCE(!len || len > EDU_DMA_MAX))
		return -EINVAL;
	if (pci_dev_is_disconnected(edu->pdev))
		return -ENODEV;
	if (edu->hung)
		return -EIO;

	reinit_completion(&edu->dma_done);
	writeq(src, edu->regs + EDU_REG_DMA_SRC);
	writeq(dst, edu->regs + EDU_REG_DMA_DST);
	writeq(len, edu->regs + EDU_REG_DMA_COUNT);
	writeq(cmd | EDU_CMD_RUN | EDU_CMD_IRQ, edu->regs + EDU_REG_DMA_CMD);
	/* More than once if an interrupt is late: that of a DMA before. */
	do {
		left = wait_for_completion_timeout(&edu->dma_done, left);
		state = readl(edu->regs + EDU_REG_DMA_CMD);
	} while (left && state != U32_MAX && (state & EDU_CMD_RUN));

	if (state == U32_MAX)
		return -ENODEV;
	if (state & EDU_CMD_RUN) {
		/* When it wakes up, the memory may be somebody else's. */
		pci_clear_master(edu->pdev);
		edu->hung = true;
		atomic64_inc(&gd->count.edu_timeouts);
		return -EIO;
	}
	atomic64_inc(&gd->count.edu_dmas);
	return 0;
}

/**
 * gmock_edu_copy() - copy by DMA
 * @gd: accelerator; the caller holds gmock_edu.dma_lock
 * @dst: bus address
 * @src: bus address
 * @len: bytes
 *
 * Sleeps, two DMAs for each 2 KiB. Does not see whether the data arrived.
 *
 * Return: 0, -EIO on a timeout, or -ENODEV.
 */
int gmock_edu_copy(struct gmock_dev *gd, dma_addr_t dst, dma_addr_t src,
		   size_t len)
{
	size_t n;
	int ret;

	for (; len; len -= n, dst += n, src += n) {
		n = min_t(size_t, len, EDU_DMA_MAX);
		ret = edu_dma(gd, src, EDU_BUFFER, n, 0);
		if (ret)
			return ret;
		ret = edu_dma(gd, EDU_BUFFER, dst, n, EDU_CMD_TO_BUS);
		if (ret)
			return ret;
		atomic64_add(n, &gd->count.edu_bytes);
	}
	return 0;
}

/**
 * gmock_edu_factorial() - compute x! modulo 2^32
 * @gd: accelerator
 * @x: argument, at most %GMEM_MOCK_FACTORIAL_MAX, which bounds the time to
 *	about a millisecond
 * @res: out: result
 *
 * Return: 0, -EIO on a timeout, or -ENODEV.
 */
int gmock_edu_factorial(struct gmock_dev *gd, u32 x, u32 *res)
{
	struct gmock_edu *edu = &gd->edu;
	u32 status;

	if (pci_dev_is_disconnected(edu->pdev))
		return -ENODEV;

	guard(mutex)(&edu->fact_lock);
	writel(x, edu->regs + EDU_REG_FACTORIAL);
	if (readl_poll_timeout(edu->regs + EDU_REG_STATUS, status,
			       !(status & EDU_STATUS_BUSY), 0,
			       EDU_POLL_TIMEOUT_US))
		return status == U32_MAX ? -ENODEV : -EIO;
	*res = readl(edu->regs + EDU_REG_FACTORIAL);
	return 0;
}

/**
 * gmock_edu_init() - make the engine ready
 * @gd: accelerator; gmock_edu.pdev and gmock_edu.regs are set
 *
 * Return: 0 or a negative errno.
 */
int gmock_edu_init(struct gmock_dev *gd)
{
	struct gmock_edu *edu = &gd->edu;
	struct pci_dev *pdev = edu->pdev;
	int ret;

	mutex_init(&edu->dma_lock);
	mutex_init(&edu->fact_lock);
	init_completion(&edu->dma_done);

	/*
	 * The address width of edu is an option of QEMU that cannot be read
	 * back: dma_mask=0xffffffffffffffff has to be given.
	 */
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	edu->page = dma_alloc_coherent(&pdev->dev, PAGE_SIZE, &edu->page_dma,
				       GFP_KERNEL);
	if (!edu->page)
		return -ENOMEM;
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI | PCI_IRQ_INTX);
	if (ret < 0)
		goto err_page;
	edu->msi = pci_dev_msi_enabled(pdev);
	ret = request_irq(pci_irq_vector(pdev, 0), edu_irq, IRQF_SHARED,
			  dev_name(&gd->dev), gd);
	if (ret)
		goto err_vectors;
	pci_set_master(pdev);
	return 0;

err_vectors:
	pci_free_irq_vectors(pdev);
err_page:
	dma_free_coherent(&pdev->dev, PAGE_SIZE, edu->page, edu->page_dma);
	return ret;
}

/**
 * gmock_edu_exit() - undo gmock_edu_init()
 * @gd: accelerator; nobody uses the engine any more
 */
void gmock_edu_exit(struct gmock_dev *gd)
{
	struct gmock_edu *edu = &gd->edu;
	struct pci_dev *pdev = edu->pdev;

	pci_clear_master(pdev);
	free_irq(pci_irq_vector(pdev, 0), gd);
	pci_free_irq_vectors(pdev);
	dma_free_coherent(&pdev->dev, PAGE_SIZE, edu->page, edu->page_dma);
	mutex_destroy(&edu->fact_lock);
	mutex_destroy(&edu->dma_lock);
}
