%% turn.erl: processes that take turns by erlang:yield.
%%
%% Usage: erl -noshell -run turn main [PROCESSES [ROUNDS]]
-module(turn).
-export([main/0, main/1]).

main() -> main([]).
main(Arguments) ->
  [Count, Given] = measure:arguments(Arguments, [2, 0]),
  Rounds = if Given > 0 -> Given; true -> max(1, 3000000 div Count) end,
  Body = fun() -> receive go -> take_turns(Rounds) end end,
  All = [spawn_monitor(Body) || _ <- lists:seq(1, Count)],
  Start = measure:cpu(),
  [Pid ! go || {Pid, _} <- All],
  [receive {'DOWN', Ref, process, Pid, normal} -> ok end || {Pid, Ref} <- All],
  measure:print_each("turn", measure:cpu() - Start, Count * Rounds, "ns"),
  halt().

take_turns(0) -> ok;
take_turns(Rounds) ->
  erlang:yield(),
  take_turns(Rounds - 1).
