# SPDX-License-Identifier: GPL-2.0
"""The virtual machine: QEMU's command line.

Each mock accelerator is a PCIe root port with two functions in its one slot: edu,
the engine, in function 0, and ivshmem-plain, the memory, in function 1.
"""

from dataclasses import dataclass
from pathlib import Path

from tsc import host_tsc_khz

QEMU = "qemu-system-x86_64"
QBOOT = Path("/usr/share/qemu/qboot.rom")

# With virtual time counted in instructions a guest that idles skips the 100 ms which
# edu takes for a DMA ("dma"), and one instruction is one nanosecond ("count").
ICOUNT = {"dma": "shift=5,sleep=off", "count": "shift=0,sleep=off"}

# Without "rep movsb" and "rep stosb", which are fast on a real CPU and go byte by byte
# here: a page fault takes a third of the time, that of a huge page a seventh.
CPU = "max,la57=off,erms=off,fsrm=off"

# Where instructions are counted, runs should not differ: neither by the date, nor by where
# the kernel puts what it places at random, nor by when QEMU's other thread has time for
# what is sent to a port. What is left to luck is when the host answers, which a program
# need not ask, and which CPU's turn it is.
SAME_CPU = ",rdrand=off,rdseed=off"
SAME_DATE = ["-rtc", "base=2026-01-01T00:00:00,clock=vm"]
SAME_PLACES = "norandmaps nokaslr"
SAME_THREAD = ",ioeventfd=off"

# A busy host must not look like a broken guest
PATIENCE = "no_timer_check tsc=nowatchdog watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120"


@dataclass
class Machine:
    kernel: Path
    initrd: Path
    log: Path
    cpus: int = 2
    memory: str = "4G"
    devices: int = 2
    device_memory: str = "64M"
    icount: str = ""
    iommu: bool = False
    append: str = ""
    plugin: str = ""

    def _accelerator(self, n: int) -> list[str]:
        return [
            "-device", f"pcie-root-port,id=port{n},bus=pcie.0,chassis={n + 1},slot={n + 1}",
            "-object", f"memory-backend-ram,id=vram{n},size={self.device_memory},share=on",
            "-device", f"edu,bus=port{n},addr=0.0,multifunction=on,dma_mask=0xffffffffffffffff",
            "-device", f"ivshmem-plain,memdev=vram{n},bus=port{n},addr=0.1",
        ]

    def _time(self) -> list[str]:
        if self.icount:
            cpus = self.cpus if self.icount == "count" else 1
            return ["-accel", "tcg", "-icount", ICOUNT[self.icount], "-smp", str(cpus)]
        return ["-accel", "tcg,thread=multi", "-smp", str(self.cpus)]

    @staticmethod
    def _port(name: str, backend: str) -> list[str]:
        """A one-way line to the host, /dev/gmem-NAME in the guest."""
        return ["-chardev", f"{backend},id={name}",
                "-device", f"virtserialport,bus=ports.0,chardev={name},name=gmem-{name}"]

    def command(self, terminal: str, ports: dict[str, str]) -> list[str]:
        """The command line; the arguments are the backends of the terminal and the ports."""
        same = self.icount == "count"
        append = f"{self.append} {SAME_PLACES}" if same else self.append
        if not self.icount and (khz := host_tsc_khz()):
            append = f"tsc_early_khz={khz} {append}"
        line = [QEMU, "-M", "q35", "-cpu", CPU + (SAME_CPU if same else ""), "-m", self.memory,
                "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                "-kernel", str(self.kernel), "-initrd", str(self.initrd),
                "-append", f"console=ttyS0 panic=-1 {PATIENCE} {append}".strip()]
        if QBOOT.is_file():
            line += ["-bios", str(QBOOT)]
        line += self._time()
        if same:
            line += SAME_DATE
        if self.plugin:
            line += ["-plugin", self.plugin]
        if self.iommu:
            line += ["-device", "intel-iommu,intremap=on,caching-mode=on"]
        line += ["-chardev", f"file,id=log,path={self.log}", "-serial", "chardev:log",
                 "-device", "virtio-serial-pci,id=ports" + (SAME_THREAD if same else ""),
                 "-chardev", f"{terminal},id=terminal",
                 "-device", "virtconsole,bus=ports.0,chardev=terminal"]
        for name, backend in ports.items():
            line += self._port(name, backend)
        for n in range(self.devices):
            line += self._accelerator(n)
        return line
