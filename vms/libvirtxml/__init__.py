"""Domain XML, purely: a machine's value to XML, and XML to what is there."""
