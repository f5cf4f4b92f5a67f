"""The writer's XML is judged by a real libvirt too."""

from tests.hypervisors.conftest import private_daemon, real_libvirt

__all__ = ["private_daemon", "real_libvirt"]
