-- Lua text that has a SIGINT sent to the process that runs it, shortly after this line.
-- The C library ignores the signal while the shell of os.execute runs: so a child of that
-- shell waits until it is gone, and a little longer.
return "os.execute('{ while kill -0 $$; do sleep 0.02; done; sleep 0.1; kill -INT $PPID; }"
  .. " >/dev/null 2>&1 &') "
