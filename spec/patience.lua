--- How many times longer than on a plain build things may take: more under valgrind.
return tonumber(os.getenv("SPEC_PATIENCE") or 1)
