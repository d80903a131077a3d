// SPDX-License-Identifier: GPL-2.0

void nfo_prefetch(const void *at)
{
	prefetch(at);
}

void nfo_spin_lock_init(spinlock_t *lock, const char *name, struct lock_class_key *key)
{
	spin_lock_init(lock);
	lockdep_set_class_and_name(lock, key, name);
}

void nfo_mutex_init(struct mutex *lock, const char *name, struct lock_class_key *key)
{
	mutex_init(lock);
	lockdep_set_class_and_name(lock, key, name);
}

void nfo_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void nfo_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

bool nfo_spin_trylock_bh(spinlock_t *lock)
{
	return spin_trylock_bh(lock);
}

void nfo_spin_assert_is_held(spinlock_t *lock)
{
	lockdep_assert_held(lock);
}

bool nfo_mutex_trylock(struct mutex *lock)
{
	return mutex_trylock(lock);
}

void nfo_mutex_lock(struct mutex *lock)
{
	mutex_lock(lock);
}

void nfo_rcu_read_lock(void)
{
	rcu_read_lock();
}

void nfo_rcu_read_unlock(void)
{
	rcu_read_unlock();
}

void nfo_refcount_inc(refcount_t *count)
{
	refcount_inc(count);
}

bool nfo_refcount_dec_and_test(refcount_t *count)
{
	return refcount_dec_and_test(count);
}

void nfo_fsleep(unsigned long microseconds)
{
	fsleep(microseconds);
}

void nfo_init_rwsem(struct rw_semaphore *sem)
{
	init_rwsem(sem);
}

void nfo_init_delayed_work(struct delayed_work *work, work_func_t fn)
{
	INIT_DELAYED_WORK(work, fn);
}

bool nfo_queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
			    unsigned long delay)
{
	return queue_delayed_work(wq, work, delay);
}

struct workqueue_struct *nfo_unbound_wq(void)
{
	return system_dfl_wq;
}

void nfo_cond_resched(void)
{
	cond_resched();
}

bool nfo_mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
			  unsigned long delay)
{
	return mod_delayed_work(wq, work, delay);
}

u32 nfo_seconds(void)
{
	return div_u64(get_jiffies_64(), HZ);
}

void nfo_down_read(struct rw_semaphore *sem)
{
	down_read(sem);
}

void nfo_up_read(struct rw_semaphore *sem)
{
	up_read(sem);
}

void nfo_down_write(struct rw_semaphore *sem)
{
	down_write(sem);
}

void nfo_up_write(struct rw_semaphore *sem)
{
	up_write(sem);
}
