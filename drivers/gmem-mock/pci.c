// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM mock accelerator: PCI functions, and the life of a device.
 *
 * An accelerator is two PCI functions, each probed and removed by itself, in
 * any order. When one finds its partner the accelerator comes to life; when
 * either goes, it ends. Partners are on the same bus. Those of several
 * accelerators on one bus are told apart by their slot if they are functions
 * of multifunction devices; otherwise they are paired in the order in which
 * they turn up.
 */
#include <linux/debugfs.h>
#include <linux/fault-inject.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci_ids.h>

#include "mock.h"

#define GMOCK_VENDOR_QEMU	0x1234
#define GMOCK_DEVICE_EDU	0x11e8
#define GMOCK_DEVICE_IVSHMEM	0x1110

DECLARE_FAULT_ATTR(gmock_fail_copy);
DECLARE_FAULT_ATTR(gmock_fail_map);
DECLARE_FAULT_ATTR(gmock_fail_prepare);

static struct dentry *gmock_debugfs;

enum gmock_role {
	GMOCK_ROLE_EDU,
	GMOCK_ROLE_VRAM,
};

/**
 * struct gmock_func - a PCI function that the driver is bound to
 * @entry: in gmock_funcs
 * @pdev: PCI function
 * @role: which half of an accelerator it is
 * @regs: BAR 0 of edu
 * @gd: the accelerator, or NULL while there is no partner
 */
struct gmock_func {
	struct list_head entry;
	struct pci_dev *pdev;
	enum gmock_role role;
	void __iomem *regs;
	struct gmock_dev *gd;
};

/* Protects gmock_funcs and gmock_func.gd; held while devices start and end. */
static DEFINE_MUTEX(gmock_pair_lock);
static LIST_HEAD(gmock_funcs);

static bool is_partner(const struct gmock_func *a, const struct gmock_func *b)
{
	if (b->gd || a->role == b->role || a->pdev->bus != b->pdev->bus)
		return false;
	if (!a->pdev->multifunction && !b->pdev->multifunction)
		return true;
	return PCI_SLOT(a->pdev->devfn) == PCI_SLOT(b->pdev->devfn);
}

static struct gmock_func *find_partner(const struct gmock_func *func)
{
	struct gmock_func *other;

	lockdep_assert_held(&gmock_pair_lock);
	list_for_each_entry(other, &gmock_funcs, entry)
		if (is_partner(func, other))
			return other;
	return NULL;
}

/* Hardware first, then GMEM, then programs: each builds on the one before. */
static struct gmock_dev *gmock_start(struct gmock_func *edu,
				     struct gmock_func *vram)
{
	struct gmock_dev *gd;
	int ret;

	gd = gmock_dev_alloc(&edu->pdev->dev);
	if (IS_ERR(gd))
		return gd;
	gd->edu.pdev = edu->pdev;
	gd->edu.regs = edu->regs;
	gd->vram.pdev = vram->pdev;

	ret = gmock_edu_init(gd);
	if (ret)
		goto err_put;
	ret = gmock_vram_init(gd);
	if (ret)
		goto err_edu;
	ret = gmock_glue_start(gd);
	if (ret)
		goto err_vram;
	ret = gmock_dev_publish(gd);
	if (ret)
		goto err_glue;
	return gd;

err_glue:
	gmock_glue_stop(gd);
err_vram:
	gmock_vram_exit(gd);
err_edu:
	gmock_edu_exit(gd);
err_put:
	put_device(&gd->dev);
	return ERR_PTR(ret);
}

/* Programs first; then GMEM, which brings the data home with the hardware. */
static void gmock_stop(struct gmock_dev *gd)
{
	if (pci_dev_is_disconnected(gd->edu.pdev) ||
	    pci_dev_is_disconnected(gd->vram.pdev))
		gmock_glue_lost(gd);
	gmock_dev_revoke(gd);
	gmock_glue_stop(gd);
	gmock_vram_exit(gd);
	gmock_edu_exit(gd);
	put_device(&gd->dev);
}

/* Bind a function to its partner, if there is one. */
static int gmock_pair(struct gmock_func *func)
{
	struct gmock_func *other = find_partner(func);
	struct gmock_dev *gd;

	lockdep_assert_held(&gmock_pair_lock);
	if (!other)
		return 0;
	gd = func->role == GMOCK_ROLE_EDU ? gmock_start(func, other) :
					    gmock_start(other, func);
	if (IS_ERR(gd))
		return PTR_ERR(gd);
	func->gd = gd;
	other->gd = gd;
	return 0;
}

static void gmock_unpair(struct gmock_func *func)
{
	struct gmock_dev *gd = func->gd;
	struct gmock_func *other;

	lockdep_assert_held(&gmock_pair_lock);
	if (!gd)
		return;
	gmock_stop(gd);
	list_for_each_entry(other, &gmock_funcs, entry)
		if (other->gd == gd)
			other->gd = NULL;
}

static int gmock_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct gmock_func *func;
	int ret;

	func = devm_kzalloc(&pdev->dev, sizeof(*func), GFP_KERNEL);
	if (!func)
		return -ENOMEM;
	func->pdev = pdev;
	func->role = id->driver_data;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	if (func->role == GMOCK_ROLE_EDU) {
		func->regs = pcim_iomap_region(pdev, 0, KBUILD_MODNAME);
		if (IS_ERR(func->regs))
			return PTR_ERR(func->regs);
	} else {
		ret = pcim_request_region(pdev, 2, KBUILD_MODNAME);
		if (ret)
			return ret;
	}
	pci_set_drvdata(pdev, func);

	guard(mutex)(&gmock_pair_lock);
	ret = gmock_pair(func);
	if (ret)
		return ret;
	list_add_tail(&func->entry, &gmock_funcs);
	return 0;
}

static void gmock_remove(struct pci_dev *pdev)
{
	struct gmock_func *func = pci_get_drvdata(pdev);

	guard(mutex)(&gmock_pair_lock);
	gmock_unpair(func);
	list_del(&func->entry);
}

static const struct pci_device_id gmock_ids[] = {
	{
		PCI_DEVICE(GMOCK_VENDOR_QEMU, GMOCK_DEVICE_EDU),
		.driver_data = GMOCK_ROLE_EDU,
	}, {
		PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, GMOCK_DEVICE_IVSHMEM),
		.driver_data = GMOCK_ROLE_VRAM,
	},
	{ }
};
MODULE_DEVICE_TABLE(pci, gmock_ids);

static struct pci_driver gmock_driver = {
	.name = GMOCK_NAME,
	.id_table = gmock_ids,
	.probe = gmock_probe,
	.remove = gmock_remove,
};

static int __init gmock_init(void)
{
	int ret;

	ret = gmock_chardev_init();
	if (ret)
		return ret;
	gmock_debugfs = debugfs_create_dir(GMOCK_NAME, NULL);
	fault_create_debugfs_attr("fail_copy", gmock_debugfs, &gmock_fail_copy);
	fault_create_debugfs_attr("fail_map", gmock_debugfs, &gmock_fail_map);
	fault_create_debugfs_attr("fail_prepare", gmock_debugfs,
				  &gmock_fail_prepare);
	ret = pci_register_driver(&gmock_driver);
	if (ret) {
		debugfs_remove_recursive(gmock_debugfs);
		gmock_chardev_exit();
	}
	return ret;
}
module_init(gmock_init);

static void __exit gmock_exit(void)
{
	pci_unregister_driver(&gmock_driver);
	debugfs_remove_recursive(gmock_debugfs);
	gmock_chardev_exit();
}
module_exit(gmock_exit);

MODULE_DESCRIPTION(GMOCK_DESCRIPTION);
MODULE_LICENSE("GPL");
