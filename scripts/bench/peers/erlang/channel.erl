%% channel.erl: a value handed over from one process to another, which says that it has it. Erlang
%% has mailboxes and no channels; a put that returns when its value has been taken is two messages.
%%
%% Usage: erl -noshell -run channel main [COUNT]
-module(channel).
-export([main/0, main/1]).

main() -> main([]).
main(Arguments) ->
  [Count] = measure:arguments(Arguments, [1000000]),
  Main = self(),
  Start = measure:cpu(),
  spawn(fun() -> put_all(Main, 1, Count) end),
  get_all(1, Count),
  measure:print_each("channel", measure:cpu() - Start, Count, "ns"),
  halt().

put_all(_, Item, Count) when Item > Count -> ok;
put_all(To, Item, Count) ->
  To ! {self(), Item},
  receive taken -> put_all(To, Item + 1, Count) end.

get_all(Item, Count) when Item > Count -> ok;
get_all(Item, Count) ->
  receive {From, Item} -> From ! taken end,
  get_all(Item + 1, Count).
