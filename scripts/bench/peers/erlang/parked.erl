%% parked.erl: very many processes that wait for a message, which they are then sent.
%%
%% Usage: erl -noshell +P 2000000 -run parked main [COUNT]
-module(parked).
-export([main/0, main/1]).

main() -> main([]).
main(Arguments) ->
  [Count] = measure:arguments(Arguments, [1000000]),
  erlang:garbage_collect(),
  Before = measure:resident_bytes(),
  {Spawned, All} = spawn_all(Count),
  Bytes = (measure:resident_bytes() - Before) / Count,
  wake_all(All),
  {Respawned, Again} = spawn_all(Count),
  Woken = wake_all(Again),
  measure:print("tasks", Count, "n"),
  measure:print("bytes", Bytes, "B"),
  measure:print_each("spawn", Spawned, Count, "ns"),
  measure:print_each("respawn", Respawned, Count, "ns"),
  measure:print_each("wake", Woken, Count, "ns"),
  halt().

spawn_all(Count) ->
  Main = self(),
  Body = fun() -> receive go -> Main ! done end end,
  Start = measure:cpu(),
  All = [spawn(Body) || _ <- lists:seq(1, Count)],
  erlang:yield(), % the others run until they wait
  {measure:cpu() - Start, All}.

wake_all(All) ->
  Start = measure:cpu(),
  [Pid ! go || Pid <- All],
  [receive done -> ok end || _ <- All],
  measure:cpu() - Start.
