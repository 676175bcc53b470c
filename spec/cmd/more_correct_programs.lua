--- More programs without a fault, as in spec.cmd.correct_programs: locks that are signals or go
-- from hand to hand, limits around cycles, owners that die, and whoever lends a hand from outside.

local HEAD = [[
local lock, queue, event, pool = greenlet.lock, greenlet.queue, greenlet.event, greenlet.pool
local spawn, sleep, joinall, getcurrent = greenlet.spawn, greenlet.sleep, greenlet.joinall, greenlet.getcurrent
]]

local list = {}

local function program(name)
  return function(script) list[#list + 1] = { name, HEAD .. script .. "\nprint('ok')\n" } end
end

program "Condition on Lock" [[
local function Condition(l)
  local w = {}
  return { wait=function() local m=lock.Lock() m:acquire() w[#w+1]=m l:release()
  m:acquire() l:acquire() end,
    notify=function() local m=table.remove(w,1) if m then m:release() end end }
end
local l=lock.Lock() local c=Condition(l) local items={}
local function consumer() for i=1,5 do l:acquire() while #items==0 do c.wait()
  end table.remove(items) l:release() sleep(0) end end
local function producer() for i=1,10 do l:acquire() items[#items+1]=i c.notify() l:release()
  sleep(0) end end
local cs={spawn(consumer),spawn(consumer)} local p=spawn(producer) p:join()
while not (cs[1].dead and cs[2].dead) do l:acquire() c.notify() l:release() sleep(0) end]]

program "Condition on RLock with hold" [[
local l=lock.RLock() local w={}
local function wait() local m=lock.Lock() m:acquire() w[#w+1]=m l:release() m:acquire()
  l:acquire() end
local ready=false
local c=spawn(function() local h<close> =l:hold() while not ready do wait() end end)
sleep(0) do local h<close> =l:hold() ready=true table.remove(w):release() end c:join()]]

program "hand over: acquire in one, release in another, cyclic" [[
local a,b=lock.Lock(),lock.Lock() b:acquire()
local n=0
local x=spawn(function() for i=1,50 do a:acquire() n=n+1 b:release() end end)
local y=spawn(function() for i=1,50 do b:acquire() n=n+1 a:release() end end)
joinall{x,y} assert(n==100)]]

program "first hand over while in a cycle" [[
local a,b=lock.Lock(),lock.Lock()
-- x takes a and waits for b; y holds b waits for a; a third releases: first foreign release ever
local x=spawn(function() a:acquire() sleep(0) b:acquire() end)
local y=spawn(function() b:acquire() sleep(0) sleep(0) a:acquire(true, 5) end)
spawn(function() sleep(0.005) a:release() b:release() end)
joinall{x,y}]]

program "latch by Lock: acquire by main, joined child releases" [[
local l=lock.Lock() l:acquire()
local g=spawn(function() sleep(0) l:release() end) l:acquire() g:join()]]

program "killed later by third while joining" [[
local a,b
a=spawn(function() greenlet.pcall(function() b:join() end) return 1 end)
b=spawn(function() sleep(0) a:join(1) end)
sleep(0) a:kill() b:join()]]

program "kill pending before closing cycle" [[
local l=lock.Lock()
local a=spawn(function() l:acquire() sleep(0.001) end)
l:acquire()
local b=spawn(function() l:acquire() end) sleep(0) b:kill() l:release() a:join()]]

program "join of one about to be killed by killall noblock" [[
local a,b a=spawn(function() sleep(0) b:join() end) b=spawn(function() sleep(0) sleep(0)
  greenlet.pcall(a.join,a,0.05) end)
joinall({a,b})]]

program "scope owner holds lock child waits with timeout" [[
local l=lock.Lock()
local h<close> =l:hold()
greenlet.scope(function(s) s:spawn(function() assert(not l:acquire(true,0.003)) end) end)]]

program "scope owner holds, child waits, scope cancelled by sibling failure" [[
local l=lock.Lock("x")
local ok=greenlet.pcall(function()
  local h<close> =l:hold()
  greenlet.scope(function(s) s:spawn(function() l:acquire() end) s:spawn(function()
  sleep(0.002) error("x") end) end)
end) assert(not ok)]]

program "scope child holds what owner wants afterwards" [[
local l=lock.Lock()
greenlet.scope(function(s) s:spawn(function() local h<close> =l:hold() sleep(0.002) end)
  sleep(0) end)
local h<close> =l:hold()]]

program "scope: owner cancels scope from child" [[
local l=lock.RLock()
local h<close> =l:hold()
greenlet.scope(function(s) s:spawn(function() l:acquire() end) s:spawn(function()
  sleep(0.002) s:cancel() end) end)]]

program "group killed by another" [[
local l=lock.Lock() local g=pool.Group()
local boss=spawn(function() local h<close> =l:hold() g:spawn(function() l:acquire() end)
  g:join() end)
sleep(0.002) g:kill() boss:join()]]

program "pool full, tasks spawn more by other" [[
local p=pool.Pool(2) local n=0
for i=1,20 do p:spawn(function() sleep(0) n=n+1 end) end p:join() assert(n==20)]]

program "pool task joins group of another pool" [[
local p,q=pool.Pool(2),pool.Pool(2)
for i=1,6 do p:spawn(function() local g=q:spawn(function() sleep(0.001) return i end)
  assert(g:get()==i) end) end p:join()]]

program "nested joins with links" [[
local got={}
local a=spawn(function() sleep(0.001) return 1 end)
a:link(function(g) got[#got+1]=1 spawn(function() g:join() got[#got+1]=2 end):join(0.5) end)
a:join() sleep(0.005) assert(#got==2, #got)]]

program "link that releases a lock" [[
local l=lock.Lock() l:acquire()
local a=spawn(function() sleep(0) end) a:link(function() l:release() end) l:acquire() a:join()]]

program "link_exception releases" [[
local l=lock.Lock() l:acquire() greenlet.get_hub().exception_stream=false
local a=spawn(function() sleep(0) error("x") end) a:link_exception(function() l:release()
  end) l:acquire()]]

program "callback by loop releases own lock" [[
local l=lock.Lock() l:acquire()
greenlet.get_hub().loop:run_callback(function() l:release() end) l:acquire()]]

program "timer callback releases lock of AB-BA" [[
local a,b=lock.Lock(),lock.Lock()
local x=spawn(function() a:acquire() sleep(0) b:acquire() end)
a:acquire() a:release()
local t=greenlet.spawn_later(0.003,function() b:release() end)
b:acquire()
x:join() t:join()]]

program "signal-like lock in helper function with two takers" [[
local l=lock.Lock() l:acquire() local n=0
local gs={} for i=1,3 do gs[i]=spawn(function() l:acquire() n=n+1 end) end
spawn(function() for i=1,3 do sleep(0.001) l:release() end end)
joinall(gs) assert(n==3)]]

program "RLock recursion 100 with switch" [[
local r=lock.RLock() local function f(n) r:acquire() sleep(0) if n>0 then f(n-1) end
  r:release() end
joinall{spawn(f,100),spawn(f,100),spawn(f,3)}]]

program "RLock hold in coroutine" [[
local r=lock.RLock()
local function work() local co=coroutine.wrap(function() local h<close> =r:hold()
  sleep(0) coroutine.yield() end) co() co() end
joinall{spawn(work),spawn(work)}]]

program "dead owner, release by another" [[
local l=lock.Lock() spawn(function() l:acquire() end):join()
spawn(function() sleep(0.001) l:release() end) l:acquire()]]

program "killed owner with close" [[
local l=lock.Lock() local g=spawn(function() local h<close> =l:hold() sleep(100) end) sleep(0)
spawn(function() sleep(0.001) g:kill() end) l:acquire()]]

program "killed owner, cycle formed before kill" [[
local l=lock.Lock() local done=event.Event()
local g=spawn(function() local h<close> =l:hold() done:wait() end) sleep(0)
local w=spawn(function() l:acquire() l:release() end) sleep(0)
spawn(function() sleep(0.001) g:kill() end) w:join()]]

program "garbage owner with close" [[
local l=lock.Lock()
do local q=queue.Queue() spawn(function() local h<close> =l:hold() q:get() end) end
sleep(0) for i=1,3 do collectgarbage() sleep(0) end
assert(l:acquire(true,1))]]

program "garbage owner without close, released by other" [[
local l=lock.Lock() do local q=queue.Queue() spawn(function() l:acquire() q:get() end) end
sleep(0) collectgarbage() collectgarbage() sleep(0)
spawn(function() sleep(0.001) l:release() end) l:acquire()]]

program "address reuse of owner" [[
local l=lock.Lock()
for i=1,50 do local g=spawn(function() l:acquire() end) g:join() g=nil collectgarbage()
 local h=spawn(function() sleep(0) l:release() end) local w=spawn(function()
  l:acquire() l:release() end) joinall{h,w} end]]

program "close holder order" [[
local ls={} for i=1,10 do ls[i]=lock.Lock(tostring(i)) end
local function f(i) if i>10 then sleep(0) return end local h<close> =ls[i]:hold()
  sleep(0) f(i+1) end
joinall{spawn(f,1),spawn(f,1),spawn(f,5)}]]

program "raw greenlets with lock" [[
local l=lock.Lock() local main=getcurrent()
local g g=greenlet.greenlet(function() local h<close> =l:hold() main:switch() end)
g:switch() spawn(function() sleep(0.001) g:switch() end) l:acquire()]]

program "raw greenlet throws in waiter" [[
local l=lock.Lock() l:acquire() local w
w=spawn(function() local ok=greenlet.pcall(l.acquire,l) assert(not ok) end) sleep(0)
spawn(function() w:throw("x") end) w:join()]]

program "self switch wake" [[
local me=getcurrent() local hub=greenlet.get_hub()
spawn(function() sleep(0.001) me:switch(5) end)
assert(hub:switch()==5)]]

program "Timeout around join cycle" [[
local a,b a=spawn(function() local t<close> =greenlet.Timeout.start_new(0.003,false)
  greenlet.pcall(function() b:join() end) end)
b=spawn(function() a:join() end) joinall{a,b}]]

program "with_timeout around lock cycle" [[
local a,b=lock.Lock(),lock.Lock()
local function f(x,y) x:acquire() sleep(0) greenlet.with_timeout(0.003,function()
  y:acquire() y:release() end,{timeout_value=1}) x:release() end
local g,h=spawn(greenlet.pcall,f,a,b),spawn(greenlet.pcall,f,b,a) joinall{g,h}]]

program "outer Timeout around joinall of cycle then kill" [[
local a,b=lock.RLock(),lock.RLock()
local function f(x,y) local h<close> =x:hold() sleep(0) local k<close> =y:hold() end
local gs={spawn(f,a,b),spawn(f,b,a)}
local ok=greenlet.pcall(function() local t<close> =greenlet.Timeout.start_new(0.005)
  joinall(gs) end)
greenlet.killall(gs)]]

program "get with timeout parameter on cycle then kill" [[
local a,b=lock.RLock(),lock.RLock()
local function f(x,y) local h<close> =x:hold() sleep(0) local k<close> =y:hold() end
local gs={spawn(f,a,b),spawn(f,b,a)}
greenlet.pcall(gs[1].get,gs[1],true,0.005) greenlet.killall(gs)]]

program "wait() with timeout on cycle" [[
local a,b=lock.RLock(),lock.RLock()
local function f(x,y) local h<close> =x:hold() sleep(0) local k<close> =y:hold() end
local gs={spawn(f,a,b),spawn(f,b,a)} greenlet.wait(gs,0.005) greenlet.killall(gs)]]

program "group join timeout on cycle" [[
local a,b=lock.RLock(),lock.RLock() local G=pool.Group()
local function f(x,y) local h<close> =x:hold() sleep(0) local k<close> =y:hold() end
G:spawn(f,a,b) G:spawn(f,b,a) G:join(0.005) G:kill()]]

program "select with timeout on deaths of cycle" [[
local a,b=lock.RLock(),lock.RLock()
local function f(x,y) local h<close> =x:hold() sleep(0) local k<close> =y:hold() end
local gs={spawn(f,a,b),spawn(f,b,a)}
  greenlet.select({{gs[1],"wait"},timeout=0.005}, 0.005) greenlet.killall(gs)]]

program "joinall count<n" [[
local l=lock.Lock() l:acquire() local a=spawn(function() l:acquire() l:release() end)
  local b=spawn(sleep,0.001)
joinall({a,b},nil,false,1) l:release() a:join()]]

program "joinall raise_error wakes" [[
local l=lock.Lock() l:acquire() greenlet.get_hub().exception_stream=false
local a=spawn(function() l:acquire() l:release() end) local b=spawn(function()
  sleep(0.001) error"x" end)
assert(not greenlet.pcall(joinall,{a,b},nil,true)) l:release() a:join()]]

program "iwait" [[
local l=lock.Lock() l:acquire() local a=spawn(function() l:acquire() l:release() end)
  local b=spawn(sleep,0.001)
for g in greenlet.iwait{a,b} do if g==b then l:release() end end]]

program "wait count 1" [[
local l=lock.Lock() l:acquire() local a=spawn(function() l:acquire() l:release() end)
  local b=spawn(sleep,0.001)
greenlet.wait({a,b},nil,1) l:release() a:join()]]

program "semaphore BoundedSemaphore(1) as hand over" [[
local s=lock.BoundedSemaphore(1) s:acquire() spawn(function() sleep(0) s:release() end)
  s:acquire()]]

program "bounded 1 handover with both holding" [[
local a,b=lock.BoundedSemaphore(1),lock.BoundedSemaphore(1)
local x=spawn(function() for i=1,10 do a:acquire() b:release() end end)
b:acquire() local y=spawn(function() for i=1,10 do b:acquire() a:release() end end) joinall{x,y}]]

program "Lock released in __gc" [[
local l=lock.Lock() l:acquire() local x=setmetatable({},{__gc=function() l:release() end}) x=nil
spawn(function() sleep(0) collectgarbage() end) l:acquire()]]

program "Lock released in __close of other greenlet" [[
local l=lock.Lock() l:acquire() spawn(function()
  local x<close> =setmetatable({},{__close=function() l:release() end}) sleep(0.001)
  end) l:acquire()]]

program "Lock with hold released by another early" [[
local l=lock.Lock() local g=spawn(function() l:acquire() sleep(0) l:acquire() l:release() end)
sleep(0) sleep(0) l:release() g:join()]]

program "AsyncResult chain in cycle of join" [[
local r=event.AsyncResult() local a=spawn(function() return r:get() end)
  local b=spawn(function() return a:get() end)
spawn(function() sleep(0) r:set(3) end) assert(b:get()==3)]]

program "channels cycle broken by third" [[
local c,d=queue.Channel(),queue.Channel()
local a=spawn(function() c:get() d:put(1) end) local b=spawn(function() d:get() end)
  spawn(function() sleep(0) c:put(1) end) joinall{a,b}]]

program "rwlock" [[
local r,w,n=lock.Lock(),lock.Lock(),0
local function rd() r:acquire() n=n+1 if n==1 then w:acquire() end r:release()
  sleep(0.001) r:acquire() n=n-1 if n==0 then w:release() end r:release() end
local function wr() w:acquire() sleep(0) w:release() end
local t={} for i=1,30 do t[i]=spawn(i%4==0 and wr or rd) if i%3==0 then sleep(0) end end
  joinall(t)]]

program "philosophers with order" [[
local f={} for i=1,5 do f[i]=lock.Lock() end local t={}
for i=1,5 do local a,b=math.min(i,i%5+1),math.max(i,i%5+1) t[i]=spawn(function()
  for k=1,20 do local x<close> =f[a]:hold() sleep(0) local y<close> =f[b]:hold() sleep(0) end
  end) end joinall(t)]]

program "philosophers with waiter semaphore" [[
local s=lock.Semaphore(4) local f={} for i=1,5 do f[i]=lock.Lock() end local t={}
for i=1,5 do t[i]=spawn(function() for k=1,20 do s:acquire() f[i]:acquire()
  sleep(0) f[i%5+1]:acquire() f[i]:release() f[i%5+1]:release() s:release() end end) end
  joinall(t)]]

program "trylock backoff" [[
local a,b=lock.Lock(),lock.Lock() local function f(x,y) while true do x:acquire() sleep(0)
  if y:acquire(false) then break end x:release() sleep(0.0005*math.random(9)) end
  x:release() y:release() end
joinall{spawn(f,a,b),spawn(f,b,a)}]]

program "barrier of Locks (turnstile)" [[
local m,t1,n=lock.Lock(),lock.Lock(),0 t1:acquire()
local function f() m:acquire() n=n+1 if n==3 then t1:release() end
  m:release() t1:acquire() t1:release() end
joinall{spawn(f),spawn(f),spawn(f)}]]

program "spawn_later kills cycle of joins" [[
local a,b a=spawn(function() sleep(0) b:join() end) b=spawn(function() sleep(0)
  greenlet.pcall(a.join,a,2) end)
local k=greenlet.spawn_later(0.002,function() a:kill() end) joinall{a,b}]]

program "lock acquired for another: owner dies having passed it" [[
local l=lock.Lock() local function worker() sleep(0.001) l:release() end
local boss=spawn(function() l:acquire() spawn(worker) end) boss:join() l:acquire()]]

program "owner passes it and joins waiter" [[
local l=lock.Lock() l:acquire()
local rel=spawn(function() sleep(0.002) l:release() end)
local w=spawn(function() l:acquire() l:release() end)
joinall{rel,w}]]

program "owner passes it and joins only the waiter" [[
local l=lock.Lock() l:acquire()
local rel=spawn(function() sleep(0.002) l:release() end)
local w=spawn(function() l:acquire() l:release() end)
w:join() rel:join()]]

program "local function acquires, callback of timer watcher releases, owner joins" [[
local l=lock.Lock() l:acquire()
local t=greenlet.get_hub().loop:timer(0.002) t:start(function() l:release() end)
local w=spawn(function() l:acquire() l:release() end) w:join()]]

program "main ends with waiters in cycle silently" [[
local q=queue.Queue() for i=1,3 do spawn(function() q:get() end) end sleep(0)]]

program "nested scopes with shared lock" [[
local l=lock.Lock() local n=0
greenlet.scope(function(s) for i=1,4 do s:spawn(function() greenlet.scope(function(t)
  for k=1,3 do t:spawn(function() local h<close> =l:hold() sleep(0) n=n+1 end) end end) end)
  end end) assert(n==12)]]

program "map with locks" [[
local l=lock.Lock() local p=pool.Pool(3) p:map(function(x) local h<close> =l:hold()
  sleep(0) return x end,{1,2,3,4,5,6})]]

program "imap unordered inside" [[
local p=pool.Pool(2) local n=0 for x in p:imap_unordered(function(x) sleep(0) return x
  end,{1,2,3,4}) do n=n+1 end assert(n==4)]]

program "thread-local throw wakes joiner" [[
local a a=spawn(function() greenlet.pcall(function() a:join() end) end) sleep(0) a:kill()]]

return list
