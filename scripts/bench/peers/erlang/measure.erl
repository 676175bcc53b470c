%% measure.erl: what the benchmark programs written in Erlang share.
-module(measure).
-export([arguments/2, cpu/0, resident_bytes/0, print/3, print_each/4]).

%% The program's arguments, whole numbers; those of Defaults where they are not given.
arguments([], Defaults) -> Defaults;
arguments([Text | Texts], [_ | Defaults]) -> [list_to_integer(Text) | arguments(Texts, Defaults)].

%% CPU time of the process, user and system, in seconds: a multiple of 0.01.
%% (erlang:statistics(runtime) leaves the system's part out.)
cpu() ->
  {ok, Stat} = file:read_file("/proc/self/stat"),
  [_, Numbers] = string:split(Stat, ") "),
  Fields = string:lexemes(Numbers, " "),
  [User, System] = [binary_to_integer(lists:nth(N, Fields)) || N <- [12, 13]],
  (User + System) / 100.

%% The resident memory of the process (VmRSS).
resident_bytes() ->
  {ok, Status} = file:read_file("/proc/self/status"),
  {match, [Kilobytes]} = re:run(Status, "VmRSS:\\s*(\\d+)", [{capture, [1], list}]),
  list_to_integer(Kilobytes) * 1024.

print(Name, Value, Unit) -> io:format("~s ~.2f ~s~n", [Name, Value * 1.0, Unit]).

%% Print a time each; Unit is "ns" or "us".
print_each(Name, Seconds, Count, "ns") -> print(Name, Seconds / Count * 1.0e9, "ns");
print_each(Name, Seconds, Count, "us") -> print(Name, Seconds / Count * 1.0e6, "us").
