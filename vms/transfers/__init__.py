"""The door for images: oVirt's imageio protocol, for whoever shows a ticket."""
