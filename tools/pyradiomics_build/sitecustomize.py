"""Lets PyRadiomics 3.0.1 build on Python 3.12 and 3.13: its setup.py uses two names that `configparser` had until 3.11.

Only on the path while the Makefile builds that package.
"""

import configparser

configparser.SafeConfigParser = configparser.ConfigParser  # type: ignore[attr-defined]
configparser.RawConfigParser.readfp = configparser.RawConfigParser.read_file  # type: ignore[attr-defined]
