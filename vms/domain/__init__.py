"""What is true of a machine: plain values and their rules, without Django, libvirt, I/O or a clock."""
