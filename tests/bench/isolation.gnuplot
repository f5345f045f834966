# SPDX-License-Identifier: BSD-3-Clause
# gnuplot -e "data='FILE'; picture='FILE'; bytes=N; algorithm='NAME'; systems=1|2" isolation.gnuplot: see ipsec.py.
# No background, and colours that can be read on a light and on a dark one.
set terminal svg size 900,380 dynamic font "sans-serif,13"
set output picture
names = "spillway ipsec-secgw"
grey = "#7d8590"; ours = "#1a8fe3"; other = "#e8590c"
set border 3 linecolor rgb grey
set grid ytics linecolor rgb grey linewidth 0.5 dashtype 3
set tics nomirror textcolor rgb grey
set key top left reverse Left textcolor rgb grey samplen 2
set title textcolor rgb grey
set xlabel sprintf("%% of packets to encrypt with %s", algorithm) textcolor rgb grey
set xrange [-4:94]
set xtics (0, 10, 50, 90)
set yrange [0:*]
set style data linespoints
set style line 1 linecolor rgb ours linewidth 2.5 pointtype 7 pointsize 0.8
set style line 2 linecolor rgb other linewidth 2.5 pointtype 5 pointsize 0.8

set multiplot layout 1,2 margins 0.06,0.98,0.15,0.9 spacing 0.08
set title "cycles of the receiving core for each packet"
plot for [i=1:systems] data using 1:(column(2 * i)) linestyle i title word(names, i)
set title sprintf("packets in the clear that pass (%d B, Mpps)", bytes)
set key top right noreverse Right
plot for [i=1:systems] data using 1:(column(2 * i + 1)) linestyle i title word(names, i)
unset multiplot
