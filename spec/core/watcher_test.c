#include "core/watcher.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/greenlet.h"
#include "spec/core/fixture.h"

static struct watcher watcher, other;
static unsigned calls;
static int last_events;

static void on_event(struct watcher *of, int events) {
  CHECK(hub.current == &hub.self);
  CHECK(of->hub == &hub);
  calls++;
  last_events = events;
}

static void on_event_stop(struct watcher *of, int events) {
  on_event(of, events);
  watcher_stop(of);
}

static void on_stopped(struct watcher *of) {
  CHECK(!of->active);
  note("stopped");
}

/* Let the hub run until nothing is left, or `enough` calls have been made. */
static void run_until(unsigned enough) {
  while (calls < enough)
    if (hub_wait_turn(&hub, false) < 0)
      break;
}

/* ---- io ---- */

static int ends[2];

static void open_pipe(void) {
  calls = 0;
  CHECK_EQUAL(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

static void close_pipe(void) {
  close(ends[0]);
  close(ends[1]);
}

static void io_calls_at_each_event(void) {
  char byte;
  open_pipe();
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[0], EV_READ), 0);
  watcher.callback = on_event;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK_EQUAL(watcher_start(&watcher), 0); /* no effect */
  CHECK(watcher.active && hub.active == 1 && hub.refs == 1);
  CHECK_EQUAL(hub_wait_turn(&hub, true), 0);
  CHECK_EQUAL(calls, 0);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  run_until(1);
  CHECK(calls >= 1 && last_events == EV_READ);
  run_until(2); /* it is still there */
  CHECK_EQUAL(read(ends[0], &byte, 1), 1);
  watcher_stop(&watcher);
  watcher_stop(&watcher);
  CHECK(!watcher.active && hub.active == 0 && hub.refs == 0);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  unsigned before = calls;
  CHECK_EQUAL(hub_wait_turn(&hub, true), 0);
  CHECK_EQUAL(calls, before);
  close_pipe();
}

static void io_write_and_both(void) {
  open_pipe();
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[1], EV_WRITE), 0);
  watcher.callback = on_event_stop;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK_EQUAL(watcher_init_io(&other, &hub, ends[1], EV_READ | EV_WRITE), 0);
  other.callback = on_event_stop;
  CHECK_EQUAL(watcher_start(&other), 0);
  run_all();
  CHECK_EQUAL(calls, 2);
  close_pipe();
}

static void io_refuses(void) {
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, -1, EV_READ), -EINVAL);
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, 0, 0), -EINVAL);
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, 0, EV_READ | 1024), -EINVAL);
  open_pipe();
  close_pipe();
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[0], EV_READ), 0);
  CHECK_EQUAL(watcher_start(&watcher), -EBADF);
  CHECK(!watcher.active && hub.active == 0);
  CHECK_EQUAL(watcher_wait(&watcher, -1), -EBADF);
  CHECK(watcher.waiter == NULL);
}

/* A descriptor number that is used again is another descriptor. */
static void io_number_is_used_again(void) {
  for (int i = 0; i < 3; i++) {
    open_pipe();
    CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[0], EV_READ), 0);
    CHECK_EQUAL(watcher_wait(&watcher, 0.001), -ETIMEDOUT);
    CHECK_EQUAL(write(ends[1], "x", 1), 1);
    CHECK_EQUAL(watcher_wait(&watcher, LONG_SECONDS), 0);
    close_pipe();
  }
}

/* ---- Waiting ---- */

static void *run_wait(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  self()->result = watcher_wait(arg, LONG_SECONDS);
  self()->got = greenlet_take_error(&self()->greenlet);
  return NULL;
}

static void one_waits_for_an_event(void) {
  open_pipe();
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[0], EV_READ), 0);
  struct subject *a = spawn(run_wait, &watcher), *b = spawn(run_wait, &watcher);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK(watcher.active && watcher.waiter == &a->greenlet);
  CHECK(is_dead(b));
  CHECK_EQUAL(b->result, -EBUSY);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  run_all();
  CHECK_EQUAL(a->result, 0);
  CHECK(!watcher.active && !watcher.waiter); /* it was started by the wait */
  CHECK_EQUAL(hub.timers.count, 0);
  close_pipe();
}

static void a_wait_leaves_an_active_one_active(void) {
  open_pipe();
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[0], EV_READ), 0);
  watcher.callback = on_event;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK_EQUAL(watcher_wait(&watcher, 0), -ETIMEDOUT);
  CHECK_EQUAL(watcher_wait(&watcher, 0.001), -ETIMEDOUT);
  CHECK(watcher.active && !watcher.waiter);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  CHECK_EQUAL(watcher_wait(&watcher, LONG_SECONDS), 0);
  CHECK(calls > 0 && watcher.active);
  watcher_stop(&watcher);
  close_pipe();
}

static void a_wait_is_killed(void) {
  open_pipe();
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[0], EV_READ), 0);
  struct subject *a = spawn(run_wait, &watcher);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK(watcher.waiter == NULL);
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a && !watcher.active);
  close_pipe();
}

static void wait_in_hub(struct watcher *of, int events) {
  on_event_stop(of, events);
  CHECK_EQUAL(watcher_wait(&other, 1), -EPERM);
  CHECK(!other.active);
}

static void callbacks_may_not_wait(void) {
  calls = 0;
  CHECK_EQUAL(watcher_init_timer(&other, &hub, 1, 0), 0);
  CHECK_EQUAL(watcher_init_timer(&watcher, &hub, 0, 1), 0);
  watcher.callback = wait_in_hub;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  run_all();
  CHECK_EQUAL(calls, 1);
}

/* ---- References ---- */

static void without_ref_it_keeps_nobody(void) {
  open_pipe();
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[0], EV_READ), 0);
  watcher_set_ref(&watcher, false);
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK(hub.active == 1 && hub.refs == 0);
  run_all();
  watcher_set_ref(&watcher, true);
  watcher_set_ref(&watcher, true);
  CHECK(hub.active == 1 && hub.refs == 1 && hub_alive(&hub));
  CHECK_EQUAL(hub_join(&hub, 0.001), -ETIMEDOUT);
  watcher_set_ref(&watcher, false);
  CHECK_EQUAL(watcher_wait(&watcher, -1), -EDEADLK);
  watcher_stop(&watcher);
  CHECK_EQUAL(watcher_init_timer(&other, &hub, LONG_SECONDS, 0), 0);
  CHECK_EQUAL(watcher_start(&other), 0);
  CHECK_EQUAL(hub.timers.refs, 1);
  watcher_set_ref(&other, false);
  CHECK(hub.timers.refs == 0 && hub.refs == 0 && hub.active == 1);
  run_all();
  watcher_set_ref(&other, true);
  CHECK_EQUAL(hub.timers.refs, 1);
  watcher_stop(&other);
  CHECK_EQUAL(hub.timers.refs, 0);
  close_pipe();
}

/* ---- Timers ---- */

static void timer_once(void) {
  calls = 0;
  CHECK_EQUAL(watcher_init_timer(&watcher, &hub, 0.001, 0), 0);
  watcher.callback = on_event;
  watcher.stopped = on_stopped;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK(hub.active == 1 && hub.timers.refs == 1);
  run_all();
  CHECK(calls == 1 && last_events == EV_TIMER && !watcher.active);
  CHECK_NOTES("stopped");
  CHECK_EQUAL(watcher_start(&watcher), 0); /* again */
  run_all();
  CHECK_EQUAL(calls, 2);
  clear_notes();
  CHECK_EQUAL(watcher_wait(&watcher, LONG_SECONDS), 0);
  clear_notes();
}

static void on_third(struct watcher *of, int events) {
  on_event(of, events);
  CHECK(of->active);
  if (calls == 3)
    watcher_stop(of);
}

static void timer_repeats(void) {
  calls = 0;
  CHECK_EQUAL(watcher_init_timer(&watcher, &hub, 0, 0.001), 0);
  watcher.callback = on_third;
  watcher.stopped = on_stopped;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  run_all();
  CHECK_EQUAL(calls, 3);
  CHECK_NOTES(""); /* stopped by us */
}

static void timer_again(void) {
  calls = 0;
  CHECK_EQUAL(watcher_init_timer(&watcher, &hub, LONG_SECONDS, 0.001), 0);
  watcher.callback = on_event_stop;
  CHECK_EQUAL(watcher_again(&watcher), 0); /* first */
  CHECK(watcher.active && hub.active == 1);
  run_all();
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK_EQUAL(watcher_again(&watcher), 0); /* again: 1 ms from now */
  CHECK_EQUAL(hub.active, 1);
  run_all();
  CHECK_EQUAL(calls, 2);
}

static void timer_refuses(void) {
  CHECK_EQUAL(watcher_init_timer(&watcher, &hub, -1, 0), -EINVAL);
  CHECK_EQUAL(watcher_init_timer(&watcher, &hub, 0, -1), -EINVAL);
  CHECK_EQUAL(watcher_init_timer(&watcher, &hub, 0. / 0. * 0, 0), -EINVAL);
}

/* ---- Signals ---- */

static void signal_calls(int number) {
  calls = 0;
  CHECK_EQUAL(watcher_init_signal(&watcher, &hub, number), 0);
  watcher.callback = on_event;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK_EQUAL(watcher_init_signal(&other, &hub, number), 0); /* two for one */
  other.callback = on_event;
  CHECK_EQUAL(watcher_start(&other), 0);
  if (kill(getpid(), number) == 0) {
    run_until(2);
    CHECK(calls == 2 && last_events == EV_SIGNAL);
    watcher_stop(&other);
    CHECK_EQUAL(raise(number), 0);
    run_until(3);
    CHECK_EQUAL(calls, 3);
  } else { /* an emulator may keep some for itself */
    CHECK_EQUAL(errno, EINVAL);
    fprintf(stderr, "%s: skipped: no signal %d here\n", check_context, number);
  }
  watcher_stop(&other);
  watcher_stop(&watcher);
}

static void signals(void) {
  signal_calls(SIGUSR1);
  signal_calls(SIGUSR2);
  signal_calls(SIGHUP);
  signal_calls(SIGRTMIN);
  signal_calls(SIGRTMAX);
}

static void *run_raise(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  CHECK_EQUAL(raise(SIGUSR1), 0);
  return NULL;
}

static void signal_is_waited_for(void) {
  CHECK_EQUAL(watcher_init_signal(&watcher, &hub, SIGUSR1), 0);
  struct subject *a = spawn(run_wait, &watcher);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  spawn(run_raise, NULL);
  run_all();
  CHECK_EQUAL(a->result, 0);
}

static void signal_refuses(void) {
  const int numbers[] = {0, -1, SIGKILL, SIGSTOP, 32, 33, _NSIG, 1000};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    CHECK_EQUAL(watcher_init_signal(&watcher, &hub, numbers[i]), -EINVAL);
}

static void signal_of_another_hub(void) {
  static struct hub second;
  CHECK_EQUAL(hub_init(&second, 1, SLOT_BYTES, &host, NULL), 0);
  CHECK_EQUAL(watcher_init_signal(&watcher, &hub, SIGUSR1), 0);
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK_EQUAL(watcher_init_signal(&other, &second, SIGUSR1), 0);
  CHECK_EQUAL(watcher_start(&other), -EBUSY);
  CHECK(!other.active && second.active == 0);
  watcher_stop(&watcher);
  CHECK_EQUAL(watcher_start(&other), 0);
  watcher_stop(&other);
  hub_term(&second);
}

/* ---- Children ---- */

/* A child that waits for a byte, then exits with 7 (or is killed). */
static pid_t child(void) {
  open_pipe();
  pid_t pid = fork();
  if (pid == 0) {
    char byte;
    fcntl(ends[0], F_SETFL, 0);
    _exit(read(ends[0], &byte, 1) == 1 ? 7 : 8);
  }
  CHECK(pid > 0);
  return pid;
}

/* False, with a word of it, where the kernel (or an emulator) has no pidfd. */
static bool start_child(struct watcher *of, pid_t pid) {
  int result = watcher_start(of);
  if (result == -ENOSYS) {
    fprintf(stderr, "%s: skipped: no pidfd here\n", check_context);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close_pipe();
    return false;
  }
  CHECK_EQUAL(result, 0);
  return true;
}

static void child_exits(void) {
  pid_t pid = child();
  CHECK_EQUAL(watcher_init_child(&watcher, &hub, pid), 0);
  watcher.callback = on_event;
  watcher.stopped = on_stopped;
  if (!start_child(&watcher, pid))
    return;
  CHECK_EQUAL(hub_join(&hub, 0.001), -ETIMEDOUT);
  CHECK(calls == 0 && watcher.of.child.rpid == 0);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  run_all();
  CHECK(calls == 1 && !watcher.active);
  CHECK_NOTES("stopped");
  CHECK_EQUAL(watcher.of.child.rpid, pid);
  CHECK(WIFEXITED(watcher.of.child.rstatus) && WEXITSTATUS(watcher.of.child.rstatus) == 7);
  CHECK_EQUAL(waitpid(pid, NULL, WNOHANG), -1); /* it has been reaped */
  CHECK_EQUAL(watcher_start(&watcher), -ECHILD);
  close_pipe();
}

static void child_is_killed(void) {
  pid_t pid = child();
  CHECK_EQUAL(watcher_init_child(&watcher, &hub, pid), 0);
  if (!start_child(&watcher, pid))
    return;
  CHECK_EQUAL(kill(pid, SIGKILL), 0);
  CHECK_EQUAL(watcher_wait(&watcher, LONG_SECONDS), 0);
  CHECK(!watcher.active);
  CHECK(WIFSIGNALED(watcher.of.child.rstatus));
  CHECK_EQUAL(WTERMSIG(watcher.of.child.rstatus), SIGKILL);
  close_pipe();
}

static void child_has_ended_before(void) {
  pid_t pid = child();
  siginfo_t info;
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  CHECK_EQUAL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
  CHECK_EQUAL(watcher_init_child(&watcher, &hub, pid), 0);
  if (!start_child(&watcher, pid))
    return;
  CHECK_EQUAL(watcher_wait(&watcher, LONG_SECONDS), 0);
  CHECK_EQUAL(WEXITSTATUS(watcher.of.child.rstatus), 7);
  close_pipe();
}

/* A child that nobody watches is left to whoever started it. */
static void other_children_are_left_alone(void) {
  pid_t pid = child();
  int status = 0;
  CHECK_EQUAL(watcher_init_child(&watcher, &hub, pid), 0);
  if (!start_child(&watcher, pid))
    return;
  pid_t unwatched = fork();
  if (unwatched == 0)
    _exit(3);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  run_all();
  CHECK_EQUAL(waitpid(unwatched, &status, 0), unwatched);
  CHECK_EQUAL(WEXITSTATUS(status), 3);
  close_pipe();
}

static void child_is_reaped_by_somebody_else(void) {
  pid_t pid = child();
  CHECK_EQUAL(watcher_init_child(&watcher, &hub, pid), 0);
  watcher.callback = on_event;
  if (!start_child(&watcher, pid))
    return;
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  CHECK_EQUAL(waitpid(pid, NULL, 0), pid);
  run_all();
  CHECK_EQUAL(calls, 1);
  CHECK_EQUAL(watcher.of.child.rpid, pid);
  CHECK_EQUAL(watcher.of.child.rstatus, 0);
  close_pipe();
}

static void child_refuses(void) {
  CHECK_EQUAL(watcher_init_child(&watcher, &hub, 0), -EINVAL);
  CHECK_EQUAL(watcher_init_child(&watcher, &hub, -5), -EINVAL);
  CHECK_EQUAL(watcher_init_child(&watcher, &hub, getpid()), 0);
  CHECK_EQUAL(watcher_start(&watcher), -ECHILD);
  CHECK_EQUAL(watcher_init_child(&watcher, &hub, 1), 0);
  CHECK_EQUAL(watcher_start(&watcher), -ECHILD);
  CHECK_EQUAL(watcher_wait(&watcher, -1), -ECHILD);
}

/* ---- Files ---- */

static void stat_sees_a_change(void) {
  char path[] = "/tmp/greenlua-stat-XXXXXX";
  int fd = mkstemp(path);
  CHECK(fd >= 0);
  calls = 0;
  CHECK_EQUAL(watcher_init_stat(&watcher, &hub, path, -1), -EINVAL);
  CHECK_EQUAL(watcher_init_stat(&watcher, &hub, path, 0.11), 0);
  watcher.callback = on_event;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK_EQUAL(hub_wait_turn(&hub, true), 0);
  CHECK_EQUAL(write(fd, "x", 1), 1);
  run_until(1);
  CHECK(calls >= 1 && last_events == EV_STAT);
  CHECK_EQUAL(watcher.of.stat.attr.st_size, 1);
  CHECK_EQUAL(watcher.of.stat.prev.st_size, 0);
  watcher_stop(&watcher);
  CHECK_EQUAL(unlink(path), 0);
  close(fd);
}

/* ---- Async ---- */

static void *send_from_thread(void *arg) {
  watcher_send(arg);
  return NULL;
}

static void async_from_a_thread(void) {
  pthread_t id;
  calls = 0;
  CHECK_EQUAL(watcher_init(&watcher, &hub, WATCHER_ASYNC), 0);
  watcher.callback = on_event;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK_EQUAL(pthread_create(&id, NULL, send_from_thread, &watcher), 0);
  CHECK_EQUAL(watcher_wait(&watcher, LONG_SECONDS), 0);
  CHECK_EQUAL(pthread_join(id, NULL), 0);
  CHECK(calls == 1 && last_events == EV_ASYNC);
  watcher_stop(&watcher);
}

/* ---- Around the poll ---- */

static void prepare_check_and_idle(void) {
  static struct watcher three[3];
  const enum watcher_kind kinds[] = {WATCHER_PREPARE, WATCHER_CHECK, WATCHER_IDLE};
  for (int i = 0; i < 3; i++) {
    calls = 0;
    CHECK_EQUAL(watcher_init(&three[i], &hub, kinds[i]), 0);
    three[i].callback = on_event;
    CHECK_EQUAL(watcher_start(&three[i]), 0);
    CHECK_EQUAL(hub_wait_turn(&hub, true), 0);
    CHECK_EQUAL(hub_wait_turn(&hub, true), 0);
    CHECK(calls == 2);
    watcher_stop(&three[i]);
  }
  /* An idle watcher keeps the poll from waiting. */
  CHECK_EQUAL(watcher_init(&watcher, &hub, WATCHER_IDLE), 0);
  CHECK_EQUAL(watcher_wait(&watcher, LONG_SECONDS), 0);
  CHECK_EQUAL(watcher_init(&watcher, &hub, WATCHER_FORK), 0);
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK(hub.active == 1);
  watcher_stop(&watcher);
  CHECK_EQUAL(watcher_init(&watcher, &hub, WATCHER_IO), -EINVAL);
  CHECK_EQUAL(watcher_init(&watcher, &hub, WATCHER_STAT), -EINVAL);
}

static void on_first(struct watcher *of, int events) {
  (void)events;
  note("%d", of->priority);
  watcher_stop(of);
}

static void priorities(void) {
  open_pipe();
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[1], EV_WRITE), 0);
  CHECK_EQUAL(watcher_init_io(&other, &hub, ends[1], EV_WRITE), 0);
  watcher.callback = other.callback = on_first;
  other.priority = 2;
  watcher.priority = -2;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  CHECK_EQUAL(watcher_start(&other), 0);
  run_all();
  CHECK_NOTES("2 -2");
  close_pipe();
}

int main(void) {
  check_begin();
  EACH_MODE(io_calls_at_each_event);
  EACH_MODE(io_write_and_both);
  EACH_MODE(io_refuses);
  EACH_MODE(io_number_is_used_again);
  EACH_MODE(one_waits_for_an_event);
  EACH_MODE(a_wait_leaves_an_active_one_active);
  EACH_MODE(a_wait_is_killed);
  EACH_MODE(callbacks_may_not_wait);
  EACH_MODE(without_ref_it_keeps_nobody);
  EACH_MODE(timer_once);
  EACH_MODE(timer_repeats);
  EACH_MODE(timer_again);
  EACH_MODE(timer_refuses);
  EACH_MODE(signals);
  EACH_MODE(signal_is_waited_for);
  EACH_MODE(signal_refuses);
  EACH_MODE(signal_of_another_hub);
  EACH_MODE(child_exits);
  EACH_MODE(child_is_killed);
  EACH_MODE(child_has_ended_before);
  EACH_MODE(other_children_are_left_alone);
  EACH_MODE(child_is_reaped_by_somebody_else);
  EACH_MODE(child_refuses);
  EACH_MODE(stat_sees_a_change);
  EACH_MODE(async_from_a_thread);
  EACH_MODE(prepare_check_and_idle);
  EACH_MODE(priorities);
  return check_summary();
}
