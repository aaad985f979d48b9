// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/mm/gmem: a folder for each hnode, with its size, its use and its
 * counters. Documentation/ABI/testing/sysfs-kernel-mm-gmem describes it.
 */
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "internal.h"

static struct kobject *gm_kobj;

static struct gm_hnode *to_hnode(struct kobject *kobj)
{
	return container_of(kobj, struct gm_hnode, kobj);
}

static ssize_t size_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%lu\n", to_hnode(kobj)->nr_pages << PAGE_SHIFT);
}

static ssize_t used_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  READ_ONCE(to_hnode(kobj)->used) << PAGE_SHIFT);
}

static ssize_t free_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	const struct gm_hnode *hnode = to_hnode(kobj);

	return sysfs_emit(buf, "%lu\n", (hnode->nr_pages -
			  READ_ONCE(hnode->used)) << PAGE_SHIFT);
}

static ssize_t device_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n", dev_name(to_hnode(kobj)->dev->parent));
}

static ssize_t type_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "private\n");
}

static ssize_t attached_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	struct gm_dev *dev = to_hnode(kobj)->dev;

	return sysfs_emit(buf, "%u\n", atomic_read(&dev->nr_contexts));
}

static struct kobj_attribute size_attr = __ATTR_RO(size);
static struct kobj_attribute used_attr = __ATTR_RO(used);
static struct kobj_attribute free_attr = __ATTR_RO(free);
static struct kobj_attribute device_attr = __ATTR_RO(device);
static struct kobj_attribute type_attr = __ATTR_RO(type);
static struct kobj_attribute attached_attr = __ATTR_RO(attached);

static struct attribute *gm_hnode_attrs[] = {
	&size_attr.attr,
	&used_attr.attr,
	&free_attr.attr,
	&device_attr.attr,
	&type_attr.attr,
	&attached_attr.attr,
	NULL
};

static const struct attribute_group gm_hnode_group = {
	.attrs = gm_hnode_attrs,
};

/* The counters are one attribute each, made from the table of names. */
static struct kobj_attribute gm_stat_attrs[NR_GM_STATS];
static struct attribute *gm_stat_list[NR_GM_STATS + 1];

static const struct attribute_group gm_stats_group = {
	.name = "stats",
	.attrs = gm_stat_list,
};

static const struct attribute_group *gm_hnode_groups[] = {
	&gm_hnode_group,
	&gm_stats_group,
	NULL
};

static ssize_t gm_stat_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	enum gm_stat item = attr - gm_stat_attrs;

	return sysfs_emit(buf, "%ld\n",
			  gm_stat_read(&to_hnode(kobj)->stats, item));
}

static void gm_hnode_kobj_release(struct kobject *kobj)
{
	complete(&to_hnode(kobj)->kobj_gone);
}

static const struct kobj_type gm_hnode_ktype = {
	.release = gm_hnode_kobj_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = gm_hnode_groups,
};

int __init gm_sysfs_init(void)
{
	enum gm_stat item;

	for (item = 0; item < NR_GM_STATS; item++) {
		struct kobj_attribute *attr = &gm_stat_attrs[item];

		sysfs_attr_init(&attr->attr);
		attr->attr.name = gm_stat_names[item];
		attr->attr.mode = 0444;
		attr->show = gm_stat_show;
		gm_stat_list[item] = &attr->attr;
	}
	gm_kobj = kobject_create_and_add("gmem", mm_kobj);
	return gm_kobj ? 0 : -ENOMEM;
}

/**
 * gm_sysfs_add_hnode() - make the folder of an hnode
 * @hnode: the hnode, complete
 *
 * Return: 0 or a negative errno.
 */
int gm_sysfs_add_hnode(struct gm_hnode *hnode)
{
	int ret;

	init_completion(&hnode->kobj_gone);
	ret = kobject_init_and_add(&hnode->kobj, &gm_hnode_ktype, gm_kobj,
				   "hnode%d", hnode->hnid);
	if (ret)
		gm_sysfs_remove_hnode(hnode);
	return ret;
}

/**
 * gm_sysfs_remove_hnode() - remove the folder of an hnode
 * @hnode: the hnode
 *
 * When it returns nobody reads it any more.
 */
void gm_sysfs_remove_hnode(struct gm_hnode *hnode)
{
	kobject_del(&hnode->kobj);
	kobject_put(&hnode->kobj);
	wait_for_completion(&hnode->kobj_gone);
}
