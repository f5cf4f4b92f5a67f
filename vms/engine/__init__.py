"""The one process that talks to hypervisors: it watches hosts, carries out jobs and answers wake-up calls."""
