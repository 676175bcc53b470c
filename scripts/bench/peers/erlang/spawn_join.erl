%% spawn_join.erl: a process with an empty function, and the monitor that tells of its end.
%%
%% Usage: erl -noshell -run spawn_join main [COUNT]
-module(spawn_join).
-export([main/0, main/1]).

main() -> main([]).
main(Arguments) ->
  [Count] = measure:arguments(Arguments, [1000000]),
  Start = measure:cpu(),
  run(Count),
  measure:print_each("spawn", measure:cpu() - Start, Count, "ns"),
  halt().

run(0) -> ok;
run(Count) ->
  {Pid, Ref} = spawn_monitor(fun() -> ok end),
  receive {'DOWN', Ref, process, Pid, normal} -> ok end,
  run(Count - 1).
