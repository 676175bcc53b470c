%% sleepers.erl: very many processes that sleep, for 1,000 different times.
%%
%% Usage: erl -noshell -run sleepers main [COUNT]
-module(sleepers).
-export([main/0, main/1]).

main() -> main([]).
main(Arguments) ->
  [Count] = measure:arguments(Arguments, [100000]),
  Main = self(),
  Start = measure:cpu(),
  [spawn(fun() ->
     timer:sleep(500 + I * 379 rem 1000),
     Main ! done
   end) || I <- lists:seq(1, Count)],
  [receive done -> ok end || _ <- lists:seq(1, Count)],
  measure:print_each("sleeper", measure:cpu() - Start, Count, "us"),
  halt().
