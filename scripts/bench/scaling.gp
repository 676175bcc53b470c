# scaling.gp: draw what scaling.lua has measured: a panel for each figure, the number of greenlets
# from left to right.
#
# Nothing is painted behind the panels, and all colours are of middle brightness: the picture is to
# be read on white and on black.
#
# Usage: gnuplot -c scaling.gp DATA SVG

set terminal svg size 920,820 noenhanced font "sans-serif,13" name "greenlua_scaling"
set output ARG2

grey = 0x777777
set border 3 linecolor rgb grey
set tics nomirror out scale 0.5 textcolor rgb grey
set grid ytics linecolor rgb grey linewidth 0.3 dashtype 3
set key off
set logscale x
set xrange [4:2500000]
set xtics ("10" 10, "100" 100, "1,000" 1000, "10,000" 10000, "100,000" 100000, "1 million" 1000000)
set ytics autofreq
set yrange [0:*]
set offsets 0, 0, graph 0.2, 0

array titles[6] = ["switch, all taking turns (ns)", "spawn + join, all at a time (ns)", \
  "memory of one that waits (bytes)", "spawn and wait, later rounds (ns each)", \
  "wake and end (ns each)", "a sleeper's CPU time (us)"]
array formats[6] = ["%.0f", "%.0f", "%.0f", "%.0f", "%.0f", "%.1f"]

set multiplot layout 3,2 rowsfirst margins 0.07,0.97,0.075,0.945 spacing 0.1,0.11
do for [i = 1:6] {
  set title titles[i] textcolor rgb grey font ",15"
  if (i > 4) { set xlabel "greenlets" offset 0,0.5 textcolor rgb grey }
  plot ARG1 using 1:(column(i + 1)) with linespoints linecolor rgb 0x2f80d0 linewidth 2 \
      pointtype 7 pointsize 0.6, \
    ARG1 using 1:(column(i + 1)):(sprintf(formats[i], column(i + 1))) with labels \
      offset 0,0.9 textcolor rgb 0x2f80d0 font ",12"
}
unset multiplot
